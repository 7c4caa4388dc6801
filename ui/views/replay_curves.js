// The curves of a replay, what each says at the moment that is shown, and their numbers as a table. Stands before
// replay.js, whose state it reads.

// What a curve shows: its lines, each [column, colour, name], and its limits; of one recording alone, or of all.
function curves() {
  const layers = (recording, prefix) => Object.keys(recording.numbers).filter((name) => name.startsWith(prefix));
  const byLayer = (name, prefix, i) => {
    const recording = recordings()[i], names = layers(recording, prefix);
    return { name, of: i, lines: names.map((column, k) => [column, ramp(k, names.length), column.replace(prefix, "")]) };
  };
  const low = Math.min(...recordings().flatMap((one) => layers(one, "cka").flatMap((name) => finite(one.numbers[name]))));
  const floor = Math.min(0.9, Math.floor(10 * low) / 10);
  return [
    { name: "loss", lines: [["loss", STUDENT]], low: 0 },
    { name: "tau", lines: [["tau", TEACHER]], low: 0, high: 1 },
    { name: "spread", lines: [["target_spread", TARGET], ["prediction_spread", STUDENT]], low: 0 },
    { name: "rank", lines: [["effective_rank_teacher", TEACHER], ["effective_rank_student", STUDENT]], low: 0 },
    { name: "knn", lines: [["knn_teacher", TEACHER], ["knn_student", STUDENT]], low: 0, isShare: true, chance: true },
    ...recordings().map((_, i) => ({ ...byLayer("cka", "cka_layer_", i), low: floor, high: 1 })),
    ...recordings().map((_, i) => ({ ...byLayer("distance", "distance_block_", i), low: 0, family: "distance" })),
  ];
}

const columnsOf = (curve) => curve.lines.map(([column]) => column);
const recordingsOf = (curve) => (curve.of === undefined ? recordings() : [recordings()[curve.of]]);

function arrangeCurves() {
  part(".curves").replaceChildren(...curves().map((curve) => {
    const isOne = curve.of === undefined || !shown[1];
    return plotFigure(isOne ? phrases[curve.name] : `${phrases[curve.name]} · ${recordings()[curve.of].title}`);
  }));
}

function limits(curve) {
  const family = curve.family ? curves().filter((one) => one.family === curve.family) : [curve];
  const values = family.flatMap((one) => recordingsOf(one).flatMap((each) => columnsOf(one).flatMap((name) => finite(each.numbers[name]))));
  const most = Math.max(...values, 1e-9);
  return [curve.low, curve.high ?? (curve.isShare ? clamp(Math.ceil(most * 11) / 10, 0.1, 1) : 1.08 * most)];
}

function drawCurve(figure, curve, look) {
  const [low, high] = limits(curve), all = recordingsOf(curve);
  const lines = all.flatMap((recording, i) => curve.lines.map(([column, colour]) => ({
    steps: recording.steps, values: recording.numbers[column], colour, isDashed: (curve.of ?? i) > 0, at: momentOf(recording),
  })));
  const names = curve.of === undefined ? undefined : curve.lines.map(([column, colour, name]) => (
    { name, colour, value: all[0].numbers[column].at(-1) ?? low }));
  drawPlot(part("canvas", figure), {
    low, high, end: steps().at(-1), isRoot: true, lines, names, cursor: steps()[moment], isShare: curve.isShare,
    chance: curve.chance ? main().chance : undefined,
  }, look);
  part(".value", figure).textContent = readOut(curve);
}

const numberText = (curve, value) => (curve.isShare ? percent(value) : curve.name === "tau" ? tauText(value) : plain(value));

function readOut(curve) {
  const values = recordingsOf(curve).map((recording) => {
    const own = curve.lines.map(([column]) => recording.numbers[column][momentOf(recording)]);
    if (curve.of === undefined) return [...own].reverse().map((value) => numberText(curve, value)).join(" / ");
    return fromTo(own);
  });
  return values.join("  |  ");
}

function fillTable() {
  part("details .box").replaceChildren(...recordings().map((recording) => {
    const names = Object.keys(recording.numbers);
    const rows = recording.steps.map((step, at) => [step, ...names.map((name) => {
      const value = recording.numbers[name][at];
      if (name.startsWith("knn") || name === "explained") return percent(value);
      return name === "tau" ? tauText(value) : value === null ? "–" : String(Number(value.toPrecision(3)));
    })]);
    const table = numbersTable(recording.title, [phrases.steps, ...names.map(columnName)], rows);
    table.createCaption().textContent = recording.title; // two of them stand one below the other
    recording.steps.forEach((step, at) => { table.tBodies[0].rows[at].dataset.step = step; });
    return table;
  }));
}
