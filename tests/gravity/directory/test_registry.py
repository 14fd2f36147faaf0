"""What a Service Directory knows after each registration and withdrawal, and what it announces."""

from __future__ import annotations

import pytest

from gravity.directory.state.registry import Announcement, MapChanged, PublishersChanged, Refused, Registry
from gravity.protocol.directory_messages import DirectoryCode, Kind, Publisher, Registration, Service, Unregistration
from gravity.protocol.limits import DirectoryLimits
from gravity.protocol.names import REGISTERED_PUBLISHERS
from gravity.ServiceDirectoryMapPB_pb2 import ProductChange, ProductLocations, ServiceDirectoryMapPB

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
A, B, C, D = (f"tcp://127.0.0.1:{port}" for port in range(24000, 24004))


def data(id: str, url: str, at: int = NOW, component: str = "Comp", domain: str | None = None) -> Registration:
    return Registration(id, url, Kind.DATA, component, at, domain, is_relay=False)


def service(id: str, url: str, at: int = NOW, component: str = "Comp", domain: str | None = None) -> Registration:
    return Registration(id, url, Kind.SERVICE, component, at, domain)


def gone(r: Registration, **changes: object) -> Unregistration:
    """The withdrawal of exactly that registration, but for the changes."""
    assert r.timestamp is not None
    values: dict[str, object] = {
        "id": r.id,
        "url": r.url,
        "kind": r.kind,
        "registration_time": r.timestamp // SECOND,
        "domain": r.domain,
    }
    return Unregistration(**(values | changes))  # type: ignore[arg-type]


def publisher(r: Registration) -> Publisher:
    assert r.timestamp is not None
    return Publisher(r.url, r.component_id or "", r.timestamp // SECOND)


def change(r: Registration, *, added: bool) -> MapChanged:
    return MapChanged(
        ProductChange(
            product_id=r.id,
            url=r.url,
            registration_type=r.kind.name,
            change_type="ADD" if added else "REMOVE",
            component_id=r.component_id,
            timestamp=r.timestamp,
        )
    )


def added(r: Registration) -> MapChanged:
    return change(r, added=True)


def removed(r: Registration) -> MapChanged:
    return change(r, added=False)


def list_changed(id: str, domain: str = "") -> PublishersChanged:
    return PublishersChanged(domain, id)


@pytest.fixture
def directory() -> Registry:
    return Registry()


def filled(*registrations: Registration) -> Registry:
    directory = Registry()
    for r in registrations:
        directory.register(r)
    return directory


# ---- data products -----------------------------------------------------------------------------------------


def test_nothing_is_known_at_first(directory: Registry) -> None:
    assert directory.publishers("P") == []
    assert directory.service("S") is None
    assert directory.map() == ServiceDirectoryMapPB(domain="")


def test_register(directory: Registry) -> None:
    assert directory.register(data("P", A)) == [list_changed("P"), added(data("P", A))]
    assert directory.publishers("P") == [Publisher(A, "Comp", 1_700_000_000)]


def test_several_publishers_stay_in_the_order_of_their_registration(directory: Registry) -> None:
    for url in (C, A, B):
        directory.register(data("P", url))
    assert [p.url for p in directory.publishers("P")] == [C, A, B]


def test_a_restart_on_the_same_url_keeps_its_place() -> None:
    again = data("P", C, NOW + SECOND, "New")
    directory = filled(data("P", C), data("P", A))
    assert directory.register(again) == [list_changed("P"), added(again)]
    assert directory.publishers("P") == [publisher(again), publisher(data("P", A))]


def test_a_repetition_in_the_same_second_does_not_change_the_list() -> None:
    again = data("P", A, NOW + 999_999)
    directory = filled(data("P", A))
    before = directory.publishers("P")
    assert directory.register(again) == [added(again)]
    assert directory.publishers("P") == before


def test_the_very_same_registration_again() -> None:
    assert filled(data("P", A)).register(data("P", A)) == [added(data("P", A))]


def test_an_older_registration_on_the_same_url_changes_nothing() -> None:
    directory = filled(data("P", A))
    assert directory.register(data("P", A, NOW - 1)) == []
    assert directory.register(data("Q", A, NOW - 5 * SECOND)) == []
    assert directory.register(service("S", A, NOW - 5 * SECOND)) == []
    assert directory.publishers("P") == [publisher(data("P", A))]
    assert directory.publishers("Q") == []
    assert directory.service("S") is None


def test_after_the_clock_was_set_back_the_new_owner_of_a_port_counts() -> None:
    directory = filled(data("P", A))
    new = data("P", A, NOW - 3600 * SECOND)
    assert directory.register(new) != []
    assert directory.publishers("P") == [publisher(new)]


def test_the_age_of_a_withdrawn_registration_does_not_count() -> None:
    directory = filled(data("P", A))
    directory.unregister(gone(data("P", A)))
    assert directory.register(data("P", A, NOW - SECOND)) != []


def test_a_withdrawal_leaves_the_age_of_what_else_is_on_the_url() -> None:
    directory = filled(service("S", A), service("T", A, NOW + 2 * SECOND))
    directory.unregister(gone(service("S", A)))
    assert directory.register(data("P", A, NOW + SECOND)) == []


@pytest.mark.parametrize("kind", Kind)
def test_a_registration_without_a_timestamp_changes_nothing(directory: Registry, kind: Kind) -> None:
    assert directory.register(Registration("P", A, kind, "Comp", None)) == []
    assert directory.map() == ServiceDirectoryMapPB(domain="")


def test_relays(directory: Registry) -> None:
    directory.register(Registration("P", A, Kind.DATA, "Relay", NOW, is_relay=True, ip_address="10.0.0.1"))
    assert directory.publishers("P") == [Publisher(A, "Relay", NOW // SECOND, True, "10.0.0.1")]


def test_a_component_without_a_name(directory: Registry) -> None:
    directory.register(Registration("P", A, Kind.DATA, None, NOW))
    assert directory.publishers("P") == [Publisher(A, "", NOW // SECOND, is_relay=None)]


# ---- a port has a new owner ----------------------------------------------------------------------------------


@pytest.mark.parametrize("newcomer", [data("New", A, NOW + SECOND), service("New", A, NOW + SECOND)])
def test_another_product_on_the_url_is_gone(newcomer: Registration) -> None:
    directory = filled(data("P", A), data("P", B))
    expected: list[Announcement] = [list_changed("P"), removed(data("P", A)), added(newcomer)]
    if newcomer.kind is Kind.DATA:
        expected.insert(0, list_changed("New"))
    assert directory.register(newcomer) == expected
    assert [p.url for p in directory.publishers("P")] == [B]


def test_services_are_not_pushed_out() -> None:
    directory = filled(service("S", A))
    directory.register(data("P", A, NOW + SECOND))
    directory.register(service("T", A, NOW + 2 * SECOND))
    assert directory.service("S") == Service(A, NOW // SECOND)


def test_a_service_pushes_out_a_product_of_the_same_name() -> None:
    directory = filled(data("X", A))
    newcomer = service("X", A, NOW + SECOND)
    assert directory.register(newcomer) == [list_changed("X"), removed(data("X", A)), added(newcomer)]


def test_products_of_other_domains_are_not_pushed_out() -> None:
    directory = filled(data("P", A, domain="far"))
    directory.register(data("Q", A, NOW + SECOND))
    assert [p.url for p in directory.publishers("P", "far")] == [A]


def test_an_offer_of_another_domain_pushes_out_own_products_too() -> None:
    directory = filled(data("P", A))
    newcomer = data("Q", A, NOW + SECOND, domain="far")
    assert directory.register(newcomer) == [list_changed("Q", "far"), list_changed("P"), removed(data("P", A))]


def test_after_a_push_an_old_registration_is_still_refused() -> None:
    directory = filled(data("P", A), data("Q", A, NOW + SECOND))
    assert directory.register(data("P", A)) == []


# ---- withdrawal ------------------------------------------------------------------------------------------------


def test_unregister() -> None:
    directory = filled(data("P", A), data("P", B))
    assert directory.unregister(gone(data("P", A))) == (
        DirectoryCode.SUCCESS,
        [list_changed("P"), removed(data("P", A))],
    )
    assert directory.publishers("P") == [publisher(data("P", B))]


def test_the_last_withdrawal_is_announced_too() -> None:
    directory = filled(data("P", A))
    assert directory.unregister(gone(data("P", A)))[1] == [list_changed("P"), removed(data("P", A))]
    assert directory.publishers("P") == []
    assert directory.map() == ServiceDirectoryMapPB(domain="")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "Q"},
        {"url": B},
        {"registration_time": NOW // SECOND + 1},
        {"registration_time": 0},
        {"registration_time": None},
        {"domain": "far"},
        {"kind": Kind.SERVICE},
    ],
)
def test_only_the_very_registration_is_withdrawn(changes: dict[str, object]) -> None:
    directory = filled(data("P", A))
    assert directory.unregister(gone(data("P", A), **changes)) == (DirectoryCode.NOT_REGISTERED, [])
    assert directory.publishers("P") == [publisher(data("P", A))]


def test_withdrawn_twice() -> None:
    directory = filled(data("P", A))
    assert directory.unregister(gone(data("P", A)))[0] is DirectoryCode.SUCCESS
    assert directory.unregister(gone(data("P", A))) == (DirectoryCode.NOT_REGISTERED, [])


# ---- services ----------------------------------------------------------------------------------------------------


def test_service(directory: Registry) -> None:
    assert directory.register(service("S", A)) == [added(service("S", A))]
    assert directory.service("S") == Service(A, NOW // SECOND)


def test_the_last_provider_of_a_service_wins() -> None:
    directory = filled(service("S", A), service("S", B, NOW + SECOND))
    assert directory.service("S") == Service(B, NOW // SECOND + 1)


@pytest.mark.parametrize("time", [NOW // SECOND, None])  # the reference's nodes do not say the time of a service
def test_unregister_service(time: int | None) -> None:
    directory = filled(service("S", A))
    assert directory.unregister(gone(service("S", A), registration_time=time)) == (
        DirectoryCode.SUCCESS,
        [removed(service("S", A))],
    )
    assert directory.service("S") is None


@pytest.mark.parametrize(
    "changes", [{"id": "T"}, {"url": B}, {"registration_time": 0}, {"registration_time": 1}, {"domain": "far"}]
)
def test_only_the_very_service_is_withdrawn(changes: dict[str, object]) -> None:
    directory = filled(service("S", A))
    assert directory.unregister(gone(service("S", A), **changes)) == (DirectoryCode.NOT_REGISTERED, [])
    assert directory.service("S") == Service(A, NOW // SECOND)


def test_a_replaced_provider_cannot_withdraw_its_successor() -> None:
    directory = filled(service("S", A), service("S", B, NOW + SECOND))
    for time in (NOW // SECOND, None):
        assert directory.unregister(gone(service("S", A), registration_time=time))[0] is DirectoryCode.NOT_REGISTERED
    assert directory.service("S") == Service(B, NOW // SECOND + 1)


# ---- domains -------------------------------------------------------------------------------------------------------


def test_domains_are_apart() -> None:
    directory = Registry("home")
    far, near = data("P", A, domain="far"), data("P", B)
    assert directory.register(far) == [list_changed("P", "far")]  # the map's changes are those of the own domain
    assert directory.register(near) == [list_changed("P", "home"), added(near)]
    assert [p.url for p in directory.publishers("P", "far")] == [A]
    for own in (None, "", "home"):
        assert [p.url for p in directory.publishers("P", own)] == [B]
    assert directory.publishers("P", "nowhere") == []


def test_services_of_domains_are_apart() -> None:
    directory = Registry("home")
    assert directory.register(service("S", A, domain="far")) == []
    assert directory.service("S") is None
    assert directory.service("S", "far") == Service(A, NOW // SECOND)


def test_withdrawal_in_a_domain() -> None:
    directory = Registry("home")
    directory.register(data("P", A, domain="far"))
    directory.register(data("P", B, domain="home"))
    assert directory.unregister(gone(data("P", A, domain="far"))) == (
        DirectoryCode.SUCCESS,
        [list_changed("P", "far")],
    )
    assert directory.unregister(gone(data("P", B)))[1] == [list_changed("P", "home"), removed(data("P", B))]


# ---- what another domain's directory says ----------------------------------------------------------------------


def far_map(*registrations: Registration) -> ServiceDirectoryMapPB:
    """What the directory of the domain `far` says about itself."""
    directory = Registry("far")
    for r in registrations:
        directory.register(r)
    return directory.map(domain="far")


def test_learn() -> None:
    directory = Registry("home")
    first = far_map(data("P", A), data("P", B), service("S", C))
    assert directory.replace_domain("far", first) == [list_changed("P", "far"), list_changed("P", "far")]
    assert [p.url for p in directory.publishers("P", "far")] == [A, B]
    assert directory.service("S", "far") == Service(C, NOW // SECOND)
    assert directory.replace_domain("far", first) == []

    second = far_map(data("P", B), data("Q", A, NOW + SECOND), service("S", D, NOW + SECOND))
    assert directory.replace_domain("far", second) == [list_changed("P", "far"), list_changed("Q", "far")]
    assert [p.url for p in directory.publishers("P", "far")] == [B]
    assert [p.url for p in directory.publishers("Q", "far")] == [A]
    assert directory.service("S", "far") == Service(D, NOW // SECOND + 1)


def test_a_forgotten_timestamp_does_not_replace_a_known_one() -> None:
    directory = Registry("home")
    directory.replace_domain("far", far_map(data("P", A)))
    assert directory.replace_domain("far", far_map(data("P", A, 0))) == []
    assert [p.registration_time for p in directory.publishers("P", "far")] == [NOW // SECOND]


def test_forget() -> None:
    directory = Registry("home")
    directory.register(data("P", D))
    directory.replace_domain("far", far_map(data("P", A), data("Q", B), service("S", C)))
    directory.replace_domain("other", far_map(data("P", "tcp://10.0.0.1:1")))
    assert directory.remove_domain("far") == [list_changed("P", "far"), list_changed("Q", "far")]
    assert directory.publishers("P", "far") == directory.publishers("Q", "far") == []
    assert directory.service("S", "far") is None
    assert len(directory.publishers("P", "home")) == len(directory.publishers("P", "other")) == 1
    assert directory.remove_domain("unheard of") == []


# ---- the map ----------------------------------------------------------------------------------------------------


def test_the_list_of_lists_is_not_in_the_changes(directory: Registry) -> None:
    assert directory.register(data(REGISTERED_PUBLISHERS, A)) == [list_changed(REGISTERED_PUBLISHERS)]


def test_map() -> None:
    directory = Registry("home")
    for r in (
        data("Q", C, NOW + 3, "Three"),
        data("P", A, NOW + 1, "One"),
        data("P", B, NOW + 2, "Two"),
        service("S", B, NOW + 4, "Two"),
        data("P", D, NOW + 5, "Far", "far"),
    ):
        directory.register(r)
    far = ProductLocations(product_id="P", url=[D], component_id=["Far"], domain_id=["far"], timestamp=[NOW + 5])
    p = ProductLocations(
        product_id="P", url=[A], component_id=["One"], domain_id=["home"], timestamp=[NOW + 1]
    )  # the service has pushed the other one out
    q = ProductLocations(product_id="Q", url=[C], component_id=["Three"], domain_id=["home"], timestamp=[NOW + 3])
    s = ProductLocations(product_id="S", url=[B], component_id=["Two"], domain_id=["home"], timestamp=[NOW + 4])
    assert directory.map() == ServiceDirectoryMapPB(domain="home", service_provider=[s], data_provider=[far, p, q])
    own = ServiceDirectoryMapPB(domain="home", service_provider=[s], data_provider=[p, q])
    assert directory.map(domain="home") == own
    changed = added(data("P", A)).change
    own.change.CopyFrom(changed)
    assert directory.map(changed, "home") == own


def test_map_lists_the_publishers_of_a_product_in_parallel() -> None:
    directory = filled(data("P", A, NOW, "One"), data("P", B, NOW + 1, "Two"))
    [provider] = directory.map().data_provider
    assert (list(provider.url), list(provider.component_id), list(provider.timestamp)) == (
        [A, B],
        ["One", "Two"],
        [NOW, NOW + 1],
    )
    assert list(provider.domain_id) == [""]


# ---- limits --------------------------------------------------------------------------------------------------


SMALL = DirectoryLimits(data_products=4, services=2, publishers=2, domains=2)


@pytest.mark.parametrize(
    ("id", "url", "component", "domain", "reason"),
    [
        ("x" * 256, A, "C", None, "its name has 256 characters, more than 255"),
        ("x\x1b[2J", A, "C", None, "its name has unprintable characters"),
        ("P", "tcp://" + "x" * 1000, "C", None, "its url has 1006 characters, more than 1000"),
        ("P", A + "\n", "C", None, "its url has unprintable characters"),
        ("P", A, "x" * 256, None, "its component has 256 characters, more than 255"),
        ("P", A, "x\u202e", None, "its component has unprintable characters"),
        ("P", A, "C", "x" * 256, "its domain has 256 characters, more than 255"),
        ("P", A, "C", "x\x00", "its domain has unprintable characters"),
    ],
)
@pytest.mark.parametrize("kind", [data, service])
def test_refused_names(kind, id: str, url: str, component: str, domain: str | None, reason: str) -> None:
    registry = Registry()
    refused = kind(id, url, component=component, domain=domain)
    assert registry.register(refused) == [Refused(refused, reason)]
    assert registry.map() == Registry().map() and not registry.publishers(id, domain)


@pytest.mark.parametrize("id", ["ServiceDirectory_DomainDetails", "A b/c:d", "温度", "x" * 255, ""])
def test_names_of_the_original_pass(id: str) -> None:
    registry = Registry()
    registry.register(data(id, f"ipc:///tmp/{id}", component="FileArchiver"))
    registry.register(service(id, "", component="ConfigServer"))  # as of one whose bind has failed
    assert len(registry.publishers(id)) == 1 and registry.service(id) is not None


def test_the_number_of_registrations_is_limited() -> None:
    registry = Registry(limits=SMALL)
    kept = [data("P", A), data("P", B), data("Q", C), data("Q", D)]
    for r in kept:
        assert registry.register(r)[-1] == added(r)
    third = data("P", "tcp://127.0.0.1:1")
    assert registry.register(third) == [Refused(third, "it has 2 publishers already")]
    fifth = data("R", "tcp://127.0.0.1:1")
    assert registry.register(fifth) == [Refused(fifth, "there are 4 publishers already")]
    again = data("P", A, NOW + SECOND)
    assert registry.register(again) == [PublishersChanged("", "P"), added(again)]  # those that are known may return
    registry.unregister(gone(kept[1]))
    assert registry.register(fifth) == [PublishersChanged("", "R"), added(fifth)]


def test_the_number_of_services_is_limited() -> None:
    registry = Registry(limits=SMALL)
    for id, url in (("S", A), ("T", B), ("S", C)):
        registry.register(service(id, url))
    third = service("U", D)
    assert registry.register(third) == [Refused(third, "there are 2 services already")]
    registry.unregister(gone(service("S", C)))
    assert registry.register(third) == [added(third)]


def test_the_number_of_domains_is_limited() -> None:
    registry = Registry("home", SMALL)
    near, far = data("P", A, domain="near"), data("P", B, domain="far")
    registry.register(near)
    assert registry.register(far) == [Refused(far, "there are 2 domains already")]
    registry.unregister(gone(near))
    assert registry.register(far) == [PublishersChanged("far", "P")]


def test_a_map_of_another_domain_is_limited_too() -> None:
    registry = Registry("home", SMALL)
    locations = ProductLocations(
        product_id="P", url=[A, B, C], component_id=["X"] * 3, domain_id=["far"] * 3, timestamp=[NOW] * 3
    )
    announcements = registry.replace_domain("far", ServiceDirectoryMapPB(data_provider=[locations]))
    assert [type(a) for a in announcements] == [PublishersChanged, PublishersChanged, Refused]
    assert len(registry.publishers("P", "far")) == 2


def test_what_comes_and_goes_leaves_nothing() -> None:
    registry = Registry("home")
    for number in range(100):
        for r in (data(f"P{number}", A, domain=f"d{number}"), data(f"P{number}", A), service(f"S{number}", B)):
            registry.register(r)
            registry.unregister(gone(r))
        registry.register(service("S", f"tcp://127.0.0.1:{number}"))
    kept = (registry._products, registry._services, registry._newest)
    assert [len(domains) for domains in kept[:2]] == [1, 1] and len(kept[2]) == 1
    assert registry._products["home"] == {} and list(registry._services["home"]) == ["S"]
