import re
from collections import Counter

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from anomaly.alarm import Verdict
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Finding
from anomaly.diagnosis import Diagnosis, Kind
from anomaly.progress import Progress
from anomaly.report import Line, announce, describe, lines, message, status, summary
from anomaly.run import Run
from anomaly.windows import Window
from benchmarks import detector_cluster, scaling_cluster
from streams.samples import Sample

STREAMS = ("cos", "sin")
TIME = 1_700_000_000_123_000


def finding(
    verdict: Verdict | None, diagnosis: Diagnosis | None = None, news: bool = False, after_gap: bool = False
) -> Finding:
    values = np.zeros((20, 2), np.float32)
    window = Window(503, TIME, values, after_gap, values)
    return Finding(window, 0.25, np.array([0.4, 0.1]), verdict, diagnosis, news)


def test_a_line_for_each_window():
    line = describe(finding(Verdict(1.234, False, False)), STREAMS)
    assert re.fullmatch(r"\d\d:\d\d:20\.123  samples 484-503      MSE = 2\.500e-01  score = 1\.23", line)
    for benchmark in (detector_cluster, scaling_cluster):
        assert (found := benchmark._WINDOW.search(line.encode())) and found[1] == b"503", "as the benchmarks read it"
    assert describe(finding(None, after_gap=True), STREAMS).endswith("MSE = 2.500e-01  (after a gap)")


@pytest.mark.parametrize(
    ("diagnosis", "said"),
    [
        (Diagnosis(Kind.RELATION, 0), "relation, cos"),
        (Diagnosis(Kind.OUTSIDE, None), "outside"),
        (Diagnosis(None, 1), "sin"),
        (None, "no single stream"),
    ],
)
def test_the_lines_of_an_alarm_say_what_it_is_and_stand_in_columns(diagnosis: Diagnosis | None, said: str):
    found = [finding(Verdict(0.5, False, False)), finding(Verdict(17.6, True, False), diagnosis)]
    normal, alarm = lines(found, STREAMS)
    assert (normal.alarm, alarm.alarm) == (False, True)
    assert alarm.text.endswith(f"  score = 17.60  {said}")
    assert normal.text.index("score = ") == alarm.text.index("score = ")


def test_the_line_that_ends_an_alarm_is_not_one_of_an_alarm():
    assert [line.alarm for line in lines([finding(Verdict(0.1, False, True))], STREAMS)] == [False, False]
    begin = list(lines([finding(Verdict(9.0, True, True), Diagnosis(Kind.LEVEL, 0))], STREAMS))
    assert [line.alarm for line in begin] == [True, True] and begin[1].text.startswith("ANOMALY since")
    assert isinstance(begin[0], Line)


def run_of(*verdicts: Verdict) -> Run:
    """A run of ten samples per window, 0.1 s apart, with a gap of 5 s before the last."""
    run = Run(STREAMS, Counter({("missing", "cos"): 3}))
    for number, verdict in enumerate(verdicts, start=1):
        gap = number == len(verdicts)
        end = TIME + number * 1_000_000 + 5_000_000 * gap
        times = range(end - 900_000, end + 1, 100_000)
        samples = [Sample(time, (0.0, 0.0), gap and time == times[0]) for time in times]
        assert list(run.noting([samples])) == [samples]
        diagnosis = Diagnosis(Kind.NOISE, 1) if verdict.alarm else None
        window = Window(10 * number, end, np.zeros((20, 2), np.float32), False, np.zeros((20, 2), np.float32))
        run.add([Finding(window, 0.25, np.zeros(2), verdict, diagnosis)])
    return run


NORMAL, BEGIN, ON, END = (
    Verdict(0.5, False, False),
    Verdict(9, True, True),
    Verdict(12, True, False),
    Verdict(0.7, False, True),
)


def test_the_summary_counts_and_lists_alarms_and_losses():
    said = list(summary(run_of(NORMAL, BEGIN, ON, END, NORMAL, BEGIN)))
    assert said[0] == "6 windows, 60 samples in 10.9 s: 2 alarms, 1 gap, 3 lost messages"
    assert re.fullmatch(r"  \S+ \S+:22\.123  2.0 s +samples 20-40  noise, sin  score up to 12.00", said[1])
    assert re.fullmatch(r"  \S+ \S+:31\.123  0.0 s, not over  samples 60-60  noise, sin  score up to 9.00", said[2])
    assert said[3:] == ["  missing: 3 of cos"]
    assert list(summary(Run(STREAMS))) == ["no samples arrived"]


def test_many_alarms_do_not_flood_the_summary_or_the_memory():
    run = run_of(*[BEGIN, END] * 1200)
    said = list(summary(run))
    assert "1,200 alarms" in said[0] and said[1] == "the last 20 alarms:" and len(said) == 23
    assert len(run.alarms) == 1000 and run.n_alarms == 1200


def test_the_status():
    assert status(run_of(NORMAL)) == "normal  score 0.50  10 samples, 1 gap, 3 lost"
    said = status(run_of(NORMAL, BEGIN, ON))
    assert re.fullmatch(r"ALARM since \S+: noise, sin  score 12.00  30 samples, 1 gap, 3 lost", said)
    assert status(Run(STREAMS)).startswith("no alarms  0 samples")


@pytest.mark.parametrize(
    ("diagnosis", "said"),
    [
        (Diagnosis(Kind.RELATION, 0), "relation, stream cos"),
        (Diagnosis(Kind.NOISE, 1), "noise, stream sin"),
        (Diagnosis(Kind.FROZEN, 1), "frozen, stream sin"),
        (Diagnosis(Kind.LEVEL, None), "level, no single stream"),
        (
            Diagnosis(Kind.OUTSIDE, None),
            "outside of what training has seen; if this is normal, train on data that include it",
        ),
        (Diagnosis(None, 0), "stream cos"),
        (Diagnosis(None, None), "no single stream"),
    ],
)
def test_an_alarm_is_announced_with_its_diagnosis(diagnosis: Diagnosis, said: str):
    line = announce(finding(Verdict(9.0, True, True), diagnosis, news=True), STREAMS)
    assert line and re.fullmatch(rf"ANOMALY since 2023-11-1\d \d\d:\d\d:20\.123, sample 503: {said}", line)


def test_the_end_of_an_alarm_and_a_better_diagnosis_are_announced():
    line = announce(finding(Verdict(0.1, False, True)), STREAMS)
    assert line and re.fullmatch(r"NORMAL since 2023-11-1\d \d\d:\d\d:20\.123, sample 503", line)
    better = finding(Verdict(9.0, True, False), Diagnosis(Kind.FROZEN, 0), news=True)
    assert announce(better, STREAMS) == "DIAGNOSIS: frozen, stream cos"


@pytest.mark.parametrize("verdict", [None, Verdict(9.0, True, False), Verdict(0.5, False, False)])
def test_nothing_is_announced_otherwise(verdict: Verdict | None):
    assert announce(finding(verdict), STREAMS) is None


def test_the_message_says_all():
    pb = message(finding(Verdict(9.0, True, False), Diagnosis(Kind.FROZEN, 1)), STREAMS)
    pb = AnomalyScorePB.FromString(pb.SerializeToString())
    assert (pb.timestamp, pb.sample, pb.mse, pb.score, pb.threshold) == (TIME, 503, 0.25, 9.0, 1.0)
    assert pb.state == AnomalyScorePB.ANOMALY and pb.blamed == "sin" and pb.kind == AnomalyScorePB.FROZEN
    assert [(s.name, s.error) for s in pb.streams] == [("cos", 0.4), ("sin", 0.1)]


def test_the_message_holds_what_is_drawn():
    rebuilt = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    found = finding(Verdict(0.5, False, False))._replace(rebuilt=rebuilt)
    assert [list(stream.rebuilt) for stream in message(found, STREAMS).streams] == [[1, 3, 5], [2, 4, 6]]
    assert not message(found, STREAMS).streams[0].predicted_by
    shares = np.array([[0, 0.5], [0.25, 0]], np.float32)
    assert [list(stream.predicted_by) for stream in message(found, STREAMS, shares).streams] == shares.tolist()


def test_a_training_tells_how_far_it_has_come():
    samples = [Sample(TIME - 1, (1.0, 2.0)), Sample(TIME, (1.0, 2.0))]
    told: list[AnomalyScorePB] = []
    so_far = Progress(told.append, 100, epochs=10)
    so_far.collecting(samples)
    so_far.collecting(samples)  # too soon to be told
    so_far.training(samples)
    so_far.epoch_ended(2, {"loss": 0.5})
    collecting, starting, epoch = told
    assert (collecting.timestamp, collecting.sample, collecting.training.samples) == (TIME, 2, 100)
    assert collecting.state == AnomalyScorePB.UNKNOWN and not collecting.training.HasField("epochs")
    assert starting.training.epochs == 10 and not starting.training.HasField("epoch")
    assert (epoch.training.epoch, epoch.training.loss, epoch.IsInitialized()) == (3, 0.5, True)


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_its_number_in_the_message(kind: Kind):
    pb = message(finding(Verdict(9.0, True, False), Diagnosis(kind, None)), STREAMS)
    assert AnomalyScorePB.Kind.Name(pb.kind) == kind.name and not pb.HasField("blamed")


def test_a_reader_that_does_not_know_the_kind_still_reads_the_rest():
    known = descriptor_pb2.FileDescriptorProto()
    AnomalyScorePB.DESCRIPTOR.file.CopyToProto(known)
    known.name, known.package = "old.proto", "old"
    [message_type] = known.message_type
    del message_type.field[8:], message_type.enum_type[-1]
    for field in (field for field in message_type.field if field.type_name):
        field.type_name = field.type_name.replace(".AnomalyScorePB", ".old.AnomalyScorePB")
    assert message_type.field[-1].name == "blamed"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(known)
    old_reader = message_factory.GetMessageClass(pool.FindMessageTypeByName("old.AnomalyScorePB"))
    sent = message(finding(Verdict(9.0, True, False), Diagnosis(Kind.NOISE, 1)), STREAMS)
    read = old_reader.FromString(sent.SerializeToString())
    assert (read.sample, read.state, read.blamed, read.threshold) == (503, AnomalyScorePB.ANOMALY, "sin", 1.0)
    assert not hasattr(read, "kind")


def test_without_an_anomaly_the_message_names_no_kind():
    assert not message(finding(Verdict(0.5, False, False)), STREAMS).HasField("kind")
    assert not message(finding(Verdict(9.0, True, False), Diagnosis(None, 0)), STREAMS).HasField("kind")


def test_without_error_statistics_the_state_is_unknown():
    pb = message(finding(None), STREAMS)
    assert pb.state == AnomalyScorePB.UNKNOWN and not pb.HasField("threshold") and not pb.HasField("score")
