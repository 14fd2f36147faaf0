"use strict";
// Brings the text of the page up to date, several times a second. All of it is set as text: names stay text.

const EVERY = 250; // ms
const PATIENCE = 10000; // ms that an answer may take
const MANY = 14; // streams in the matrix from which on its cells are small and hold no numbers

const find = (id) => document.getElementById(id);
const element = (tag, text, attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
const setText = (target, text) => { if (target.textContent !== text) target.textContent = text; };
const number = (value) => value === null ? "–" : Math.abs(value) >= 1e7 ? value.toExponential(3) : String(Number(value.toPrecision(4)));
const time = (ms, now) => { // with the date, if that is another one than now
  const [date, clock] = new Date(ms).toISOString().slice(0, 19).split("T");
  return new Date(now).toISOString().startsWith(date) ? clock : `${date} ${clock}`;
};

// ---- text ------------------------------------------------------------------------------------------------

let announced = null; // the alarm that has been read out
let relations = 0; // the number of the matrix that is shown

function show(status) {
  const present = status.alarms.length && status.alarms[0].end === null ? status.alarms[0] : null;
  const state = find("state");
  state.className = `state ${status.state}`;
  setText(state, present ? `anomaly: ${present.said}` : {
    none: "waiting", unknown: "no alarms: the model has no threshold", normal: "normal", training: "training",
  }[status.state] || status.state);
  document.title = (present ? "⚠ " : "") + "Anomaly detection";
  announce(present, status);
  showRows(find("nodes"), status.nodes, (node) => [`${node.name}: ${node.text}`, node.state]);
  const figures = [
    ["streams", status.streams.length], ["samples scored", status.samples], ["gaps", status.gaps],
    ["messages lost", status.lost], ["messages refused", status.refused],
  ];
  showFigures(figures);
  setText(find("score"), status.score === null ? "" : `${number(status.score)}, an alarm from ${number(status.threshold)} on`);
  setText(find("total"), status.total_alarms ? String(status.total_alarms) : "none so far");
  const clock = (ms) => time(ms + status.offset, status.now + status.offset);
  showTable(find("alarms"), status.alarms.map((alarm) => ({
    class: alarm.end === null ? "present" : "",
    cells: [clock(alarm.begin), alarm.end === null ? "now" : clock(alarm.end), alarm.kind || "–", alarm.blamed || "no single one",
      number(alarm.highest)],
  })));
  showTable(find("values"), status.streams.map((stream) => ({
    class: stream.blamed ? "present" : "",
    cells: [stream.name, number(stream.value), number(stream.error), String(stream.lost)],
  })), true);
  document.querySelectorAll(".place").forEach((place, index) => {
    const stream = status.streams[index];
    if (!stream) return;
    place.classList.toggle("blamed", stream.blamed);
    const name = place.querySelector(".name");
    setText(name, stream.name);
    name.title = stream.name;
    setText(place.querySelector("h3 small"), stream.blamed ? "to blame" : "");
  });
  if (status.training) showTraining(status.training);
  if (status.relations !== relations) {
    relations = status.relations;
    ask("relations.json").then(showRelations, () => { relations = 0; });
  }
}

function announce(present, status) {
  const now = present ? `${present.begin} ${present.said}` : "";
  if (announced !== null && now !== announced) {
    setText(find("news"), present ? `Anomaly: ${present.said}` : "The anomaly has ended");
  }
  announced = now;
  const gone = status.nodes.filter((node) => node.state === "gone").map((node) => node.name).join(", ");
  document.body.classList.toggle("gone", gone !== "");
}

function showRows(list, items, content) {
  while (list.children.length > items.length) list.lastChild.remove();
  items.forEach((item, index) => {
    const row = list.children[index] || list.appendChild(element("li", ""));
    const [text, name] = content(item);
    setText(row, text);
    row.className = name;
  });
}

function showFigures(figures) {
  const list = find("figures");
  if (!list.children.length) {
    for (const [name] of figures) {
      const group = list.appendChild(element("div", ""));
      group.append(element("dt", name), element("dd", ""));
    }
  }
  figures.forEach(([name, value], index) => {
    setText(list.children[index].lastChild, String(value));
    list.children[index].className = value && (name.includes("lost") || name.includes("refused")) ? "bad" : "";
  });
}

function showTable(table, rows, headed = false) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.lastChild.remove();
  rows.forEach((row, index) => {
    const shown = body.rows[index] || body.insertRow();
    shown.className = row.class;
    row.cells.forEach((text, column) => {
      const heads = headed && column === 0;
      setText(shown.cells[column] || shown.appendChild(element(heads ? "th" : "td", "", heads ? { scope: "row" } : {})), text);
    });
  });
}

function showTraining(training) {
  const bar = find("collected");
  const collecting = !training.epochs;
  bar.max = collecting ? training.samples : training.epochs;
  bar.value = collecting ? training.collected : training.epoch;
  setText(find("progress"), collecting
    ? `${training.collected} of ${training.samples} samples collected`
    : `epoch ${training.epoch} of ${training.epochs}` + (training.epoch ? `, loss ${number(training.loss)}` : ""));
}

function showRelations(found) {
  if (!found) return;
  const table = find("relations");
  table.className = found.names.length > MANY ? "many" : "";
  const head = element("tr", "");
  head.append(element("td", ""));
  for (const name of found.names) head.appendChild(element("th", "", { scope: "col", title: name })).append(element("span", name));
  const body = document.createElement("tbody");
  found.shares.forEach((shares, row) => {
    const line = body.insertRow();
    line.append(element("th", found.names[row], { scope: "row", title: found.names[row] }));
    shares.forEach((share, column) => {
      const text = row === column ? "" : String(Math.round(100 * share));
      const cell = element("td", text, { title: `${found.names[row]} from ${found.names[column]}: ${text} %` });
      cell.style.setProperty("--share", share);
      line.append(cell);
    });
  });
  const top = document.createElement("thead");
  top.append(head);
  table.replaceChildren(top, body);
}

// ---- small plots, for many streams: Bokeh would take seconds to draw them --------------------------------

const FINE = 1000; // the highest x and y of what is drawn
const SELDOM = 1500; // ms
const SHADE = { alarm: 0.15, blamed: 0.4, gap: 0.25 };

function lookAtPlots() {
  ask(`plots.json${location.search}`).then(({ plots, alarms, gaps }) => {
    const named = new Map(plots.map((plot) => [plot.name, plot]));
    document.querySelectorAll(".place").forEach((place) => {
      const plot = named.get(place.querySelector(".name").textContent); // the names may have another order by now
      if (plot) draw(place.querySelector("canvas"), plot, alarms, gaps);
    });
  }, () => { /* the text says so */ }).finally(() => setTimeout(lookAtPlots, SELDOM));
}

const label = (value) => number(value).length > 7 ? value.toExponential(1) : number(value);

function draw(canvas, plot, alarms, gaps) {
  const { clientWidth: width, clientHeight: height } = canvas, side = Number(dark.matches);
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = TEXT[side];
  pen.textAlign = "right";
  const left = 52, wide = width - left - 2; // as in the large plots
  pen.fillText(label(plot.high), left - 6, 12);
  pen.fillText(label(plot.low), left - 6, height - 4);
  const shade = ([begin, end], colour, alpha) => {
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    pen.fillRect(left + begin / FINE * wide, 0, Math.max(1, (end - begin) / FINE * wide), height);
    pen.globalAlpha = 1;
  };
  pen.strokeStyle = LINES[side];
  pen.strokeRect(left, 0.5, wide, height - 1);
  gaps.forEach((gap) => shade(gap, TEXT[side], SHADE.gap));
  alarms.forEach((alarm, index) => shade(alarm, COLOURS.alarm[side], plot.blamed[index] ? SHADE.blamed : SHADE.alarm));
  plot.curves.forEach(([x, y], rebuilt) => {
    pen.beginPath();
    x.forEach((at, index) => pen.lineTo(left + at / FINE * wide, (1 - y[index] / FINE) * height));
    pen.setLineDash(rebuilt ? [5, 4] : []);
    pen.strokeStyle = COLOURS[rebuilt ? "rebuilt" : "stream"][side];
    pen.lineWidth = 1.4;
    pen.stroke();
  });
}

// ---- the connection --------------------------------------------------------------------------------------

let lost = false;

async function ask(what) {
  const answer = await fetch(what, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

async function look() {
  try {
    const status = await ask("status.json");
    if (lost || status.layout !== document.body.dataset.layout) {
      location.reload();
      return;
    }
    show(status);
  } catch (error) {
    lost = true;
    find("connection").hidden = false;
  }
  setTimeout(look, lost ? 1000 : EVERY);
}

// ---- colours of the plots: [in the light, in the dark] ---------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOURS = { stream: ["#0072b2", "#56b4e9"], rebuilt: ["#009e73", "#2fc79c"], alarm: ["#d55e00", "#ff8c42"], ink: ["#222222", "#eceef0"] };
const TEXT = ["#565b61", "#a9b0b7"], LINES = ["#d5d8dc", "#3a4046"];

function colour(document) {
  const side = Number(dark.matches);
  for (const model of document.all_models) {
    const properties = {};
    if (model.type.endsWith("Axis")) {
      for (const name of ["major_label_text_color", "axis_label_text_color"]) properties[name] = TEXT[side];
      for (const name of ["axis_line_color", "major_tick_line_color"]) properties[name] = LINES[side];
    } else if (model.type === "Grid") {
      properties.grid_line_color = LINES[side];
    } else if (COLOURS[model.tags[0]]) {
      const chosen = COLOURS[model.tags[0]][side];
      for (const name of ["line_color", "fill_color", "text_color"]) {
        if (name in model && (model.type !== "Scatter" || name !== "line_color")) properties[name] = { Span: chosen }[model.type] || { value: chosen };
      }
    }
    if (Object.keys(properties).length) model.setv(properties, { sync: false });
  }
}

function paint() {
  if (Bokeh.documents.length) Bokeh.documents.forEach(colour);
  else setTimeout(paint, 20);
}

dark.addEventListener("change", paint);
paint();
look();
if (document.querySelector(".place canvas")) lookAtPlots();
