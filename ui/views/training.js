// A live training: its curves grow with every moment that Python sends, beside those of the run before, which are
// dashed. Texts come from Python, and none is read as markup.
phrases = props.phrases;

let run = null, last = null, told = "", frame = null; // a run: {id, settings, columns}

const RANGES = [
  { name: "loss", lines: [["loss", STUDENT]], low: 0 },
  { name: "spread", lines: [["target_spread", TARGET], ["prediction_spread", STUDENT]], low: 0 },
  { name: "rank", lines: [["effective_rank_teacher", TEACHER], ["effective_rank_student", STUDENT]], low: 0 },
  { name: "knn", lines: [["knn_teacher", TEACHER], ["knn_student", STUDENT]], low: 0, isShare: true },
  { name: "cka", prefix: "cka_layer_", high: 1 },
  { name: "distance", prefix: "distance_block_", low: 0 },
];

let data = null;

function read() {
  const value = props.value;
  if (!value || typeof value !== "object") return;
  if (value.columns) {
    if (run && run.id !== value.run && run.columns.step?.length > 1) last = run;
    run = { id: value.run, settings: value.settings, columns: value.columns };
  }
  if (value.data) data = value.data;
  if (value.said !== told) part(".said").textContent = told = value.said;
  part(".lab").dataset.state = value.state;
  draw();
}

function arrange() {
  part(".curves").replaceChildren(...RANGES.map((range) => plotFigure(phrases[range.name])));
  const button = part(".csv");
  button.textContent = phrases.csv;
}

const count = () => run?.columns.step?.length ?? 0;
const columnsOf = (range, one) =>
  (range.prefix ? Object.keys(one.columns).filter((name) => name.startsWith(range.prefix)).map((name, i, all) => (
    [name, ramp(i, all.length), name.replace(range.prefix, "")])) : range.lines);

function draw() {
  if (frame !== null) return;
  frame = requestAnimationFrame(() => {
    frame = null;
    if (!part(".lab")?.clientWidth) return;
    const look = lookOf(), figures = parts(".curves figure");
    RANGES.forEach((range, i) => drawRange(figures[i], range, look));
    describe();
  });
}

function drawRange(figure, range, look) {
  const runs = [last, run].filter((one) => one?.columns.step?.length), end = Number(phrases.steps_of_all);
  const lines = runs.flatMap((one) => columnsOf(range, one).map(([column, colour]) => ({
    steps: one.columns.step, values: one.columns[column], colour, isDashed: one === last, isFaint: one === last,
    at: one === run ? one.columns.step.length - 1 : undefined,
  })));
  const values = lines.flatMap((line) => finite(line.values)), most = Math.max(...values, 1e-9);
  const low = range.low ?? Math.min(0.9, Math.floor(10 * Math.min(1, ...values)) / 10);
  const high = range.high ?? (range.isShare ? clamp(Math.ceil(most * 11) / 10, 0.2, 1) : values.length ? 1.08 * Math.max(most, 0.01) : 1);
  const names = range.prefix && run ? columnsOf(range, run).map(([column, colour, name]) => (
    { name, colour, value: finite(run.columns[column]).at(-1) ?? low })) : range.prefix ? [] : undefined;
  drawPlot(part("canvas", figure), { low, high, end, lines, names, isShare: range.isShare,
    chance: range.name === "knn" && data ? data.chance : undefined }, look);
  part(".value", figure).textContent = run && count() ? readOut(range) : "";
}

function readOut(range) {
  const own = columnsOf(range, run).map(([column]) => run.columns[column].at(-1) ?? null);
  if (!range.prefix) return [...own].reverse().map((value) => (range.isShare ? percent(value) : plain(value))).join(" / ");
  return fromTo(own);
}

function describe() {
  const end = Number(phrases.steps_of_all), step = count() ? run.columns.step.at(-1) : 0;
  part(".progress .fill").style.width = `${(100 * step) / end}%`;
  part(".progress .at").textContent = count() ? fill(phrases.at, { step, seconds: Math.round(run.columns.seconds.at(-1)) }) : "";
  part(".key").replaceChildren(
    ...methodKey(),
    ...(run ? [keyEntry("currentColor", "solid", fill(phrases.this_run, run))] : []),
    ...(last ? [keyEntry("currentColor", "dashed", fill(phrases.last_run, last))] : []),
  );
  part(".facts").textContent = data ? fill(phrases.facts, { ...data, chance: percent(data.chance) }) : "";
  part(".csv").disabled = !count();
  part("details").hidden = !count();
  if (part("details").open) fillTable();
}

function fillTable() {
  const names = Object.keys(run?.columns ?? {});
  const rows = Array.from({ length: count() }, (_, at) => names.map((name, i) => {
    const value = run.columns[name][at];
    if (i === 0) return String(value);
    return name.startsWith("knn") ? percent(value) : value === null ? "–" : String(Number(value.toPrecision(4)));
  }));
  part("details .box").replaceChildren(numbersTable(part("summary").textContent, names.map(columnName), rows));
}

function csv() {
  const names = Object.keys(run.columns), rows = run.columns.step.map((_, at) => names.map((name) => run.columns[name][at] ?? ""));
  return `\ufeff${[names, ...rows].map((row) => row.join(",")).join("\r\n")}\r\n`;
}

element.addEventListener("click", (event) => {
  if (event.target.closest?.(".csv") && count()) offer(csv(), "live_training.csv");
});
part("details").addEventListener("toggle", (event) => { if (event.target.open) fillTable(); });

redrawn(draw);
watch("value", read);
arrange();
read();
draw();
