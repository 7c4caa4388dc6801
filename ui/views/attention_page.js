// What is shown of an input, and how one moves: the parts before have the drawings. Texts come from Python, and none is
// read as markup.
let data = null, phrases = {}, raw = null, rollout = null, relevance = null, check = null, measures = null;
let image = null, spectrogram = null, forms = {}, scheduled = false, later = 0, waitingFor = "", asksMeasures = false, isSeen = false;
const memory = {};
const SETTINGS = { mode: "raw", scale: "shared", sinks: "shown" };
const settings = () => ({ ...SETTINGS, ...lab.attention });

const isOf = (answer) => data && JSON.stringify(answer.of) === JSON.stringify(data.of);
const selected = () => ({
  layer: clamp(lab.selected.layer, 1, data.depth),
  head: clamp(lab.selected.head, 0, data.heads),
  position: clamp(lab.selected.position, -data.classTokens, data.labels.length - data.classTokens - 1),
});
const context = () => ({ depth: data.depth, heads: data.heads, places: data.labels.length, sinks: data.sinks });

function read() {
  const value = props.value;
  part(".attention").hidden = !value?.of;
  part(".waiting").hidden = !!value?.of;
  if (!value?.of) { data = null; return; }
  data = value;
  phrases = { ...value.phrases };
  raw = value.isEmpty ? null : new Maps(value.maps, context());
  rollout = relevance = check = null;
  if (!isMeasured()) measures = null;
  asksMeasures = false;
  askMeasures();
  memory.key = "";
  image = null;
  if (value.photo) image = Object.assign(new Image(), { onload: draw, src: value.photo.source });
  spectrogram = value.sound ? paintedSound(value.sound) : null;
  part(".remarks").replaceChildren(...value.remarks.map((text) => made("p", "small remark", text)));
  part(".pictures").className = `pictures of-${value.modality}`;
  part(".class-token").hidden = !value.classTokens;
  for (const one of [".pictures", ".measures", ".statement", ".numbers-of", ".files"]) part(one).hidden = value.isEmpty;
  change();
}

const isMeasured = () => measures && data && measures.of.at(0) === data.modality && measures.model === data.model && measures.role === data.role;

// What is looked at now --------------------------------------------------------------------------------------------------

function now() {
  const { mode, scale, sinks } = settings(), { layer, head, position } = selected();
  raw.hide(sinks === "hidden");
  const isRollout = mode === "rollout" && rollout, isClass = mode === "class" && relevance?.values;
  const maps = isRollout ? rollout : raw, place = position + data.classTokens;
  const limitOf = (ofLayer, ofHead) => maps.limit(ofLayer, ofHead, scale === "shared").limit;
  const row = isClass ? Float32Array.from(relevance.values) : maps.row(layer, head, place, position);
  const signed = data.role === "difference" && !isClass;
  const mass = signed ? null : mostOfTheMass(row);
  return {
    data, phrases, maps, layer, head, position: isClass ? null : position, place, row, signed, mass, isClass, isRollout,
    limitOf, limit: isClass ? Math.max(...row, 1e-9) : limitOf(layer, head), isCut: !isClass && maps.limit(layer, head, scale === "shared").isCut,
    chosen: mass?.chosen ?? null, image, spectrogram, ink: getComputedStyle(element).color, scale, sinks, mode,
    kinds: data.modality === "audio" && isMeasured() ? measures.roles[0].kinds : null,
    allRows: isClass || !maps.whole ? null : (from) => maps.row(layer, head, from, from - data.classTokens),
    key: [maps.mode, scale, sinks, data.role, isMeasured() ? 1 : 0].join(),
  };
}

function draw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (!data || data.isEmpty || !part(".pictures").clientWidth) return;
    const at = now();
    tell(at);
    drawAll(at);
  });
}

function plotted(name, at, how) {
  const figure = part(`figure.${name}`), plot = part(".plot", figure);
  const form = how({ ...at, canvas: part(".base", plot), base: part(".base", plot), over: part(".over", plot), width: figure.clientWidth }, memory);
  plot.style.width = `${form.width}px`;
  plot.style.height = `${form.height}px`;
  forms[name] = form;
}

function drawAll(at) {
  part("figure.matrix").hidden = at.isClass;
  plotted("heads", at.isClass ? { ...at, maps: raw, signed: data.role === "difference", limitOf: (l, h) => raw.limit(l, h, at.scale === "shared").limit } : at, drawHeads);
  plotted("place", at, drawPlace);
  if (!at.isClass) plotted("matrix", at, drawMatrix);
  ramp(at);
  if (check && isShownCheck(at)) drawCheck(part(".check .pair"), at, check);
  if (isMeasured()) drawMeasures(part(".measures .charts"), at, measures);
}

function ramp(at) {
  const canvas = part(".ramp"), brush = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    const share = x / (canvas.width - 1), weight = at.signed ? (2 * share - 1) * at.limit : share * at.limit;
    brush.fillStyle = `rgb(${colourOf(weight, at.limit, at.signed).join(", ")})`;
    brush.fillRect(x, 0, 1, canvas.height);
  }
  part(".key .low").textContent = at.signed ? `${phrases.teacher} ${shortly(-at.limit)}` : "0";
  part(".key .high").textContent = at.signed ? `${shortly(at.limit)} ${phrases.student}` : (at.isCut ? "≥ " : "") + (at.isClass ? phrases.relevance_most : shortly(at.limit));
  part(".outline-key").hidden = at.signed;
  part(".outline-key .sample").className = `sample of-${data.modality}`;
}

// What is told -----------------------------------------------------------------------------------------------------------

// A place within a sentence.
const named = (place) => (place < data.classTokens ? phrases.class_token : fill(phrases.named, { label: data.labels[place] }));
const headName = (head) => (head ? fill(phrases.head, { head }) : phrases.mean_of_heads);
const percent = (share) => fill(phrases.percent, { number: share < 0.001 ? "< 0.1" : (100 * share).toFixed(share < 0.1 ? 1 : 0) });
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

function tell(at) {
  const { layer, head, place, row } = at, query = named(place);
  setText(part("figure.heads figcaption"), at.isRollout ? phrases.rollout_title : phrases.heads_title);
  const title = at.isClass
    ? fill(phrases.class_place, { label: relevance.label, percent: percent(relevance.probability) })
    : fill(at.isRollout ? phrases.rollout_place : phrases.place_title, { layer, head: headName(head), query });
  setText(part("figure.place figcaption"), title);
  setText(part("figure.matrix figcaption"), phrases.matrix_title);
  const notes = [title];
  if (at.signed) {
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]), last = order.at(-1);
    notes.push(fill(phrases.most_both, { more: named(order[0]), weight: shortly(row[order[0]]), other: named(last), less: shortly(row[last]) }));
  } else if (Math.max(...row) <= 0) {
    notes.push(phrases.relevance_none);
  } else {
    const best = at.mass.order[0];
    notes.push(fill(at.isClass ? phrases.class_mass : phrases.mass, { count: at.mass.count, all: row.length, several: phrases.several }));
    notes.push(fill(at.isClass ? phrases.class_most : phrases.most, { place: named(best), weight: shortly(row[best]) }));
  }
  const isWaiting = waitingFor || (!at.isClass && !at.maps.isExact(selected().position));
  if (!at.maps.whole && !at.isClass && isWaiting) notes.push(phrases.loading);
  if (at.mode !== "raw" && !at.isRollout && !at.isClass) notes.unshift(relevance?.why && at.mode === "class" ? relevance.why : phrases.loading);
  setText(part(".told"), notes.join(phrases.between));
  setText(part(".sinks"), sinksTold(at));
  setText(part(".statement"), stated(at));
  for (const [name, at_] of [["heads", `${fill(phrases.layer, { layer })}, ${headName(head)}`], ["place", title], ["matrix", query]]) {
    const plot = part(`figure.${name} .plot`), [value, most] = name === "heads" ? [(layer - 1) * (data.heads + 1) + head, data.depth * (data.heads + 1) - 1] : [place, data.labels.length - 1];
    plot.setAttribute("aria-valuemax", most);
    plot.setAttribute("aria-valuenow", value);
    plot.setAttribute("aria-valuetext", at_);
  }
  part(".class-token").setAttribute("aria-pressed", String(at.position === -1));
  tellCheck(at);
  tellMeasures(at);
  if (part(".numbers-of").open) tabulate(at);
}

function sinksTold(at) {
  const what = phrases.sinks, notes = [];
  if (at.isRollout || at.isClass) {
    if (at.sinks === "hidden") notes.push(fill(phrases.sinks_rollout, { what }));
  } else {
    const share = at.maps.sinkShare(at.layer, at.head), isHidden = at.sinks === "hidden" && (at.maps.isHiding || at.maps.hiddenByServer);
    if (share !== null) notes.push(fill(isHidden ? phrases.sinks_hidden : phrases.sinks_shown, { what, share: at.signed ? `${percent(share)} (${phrases.student})` : percent(share) }));
  }
  if (at.scale === "head" && !at.isClass) notes.push(phrases.scale_notice);
  return notes.join(phrases.between);
}

function stated(at) {
  const { model, role, depth } = data, places = data.labels.length;
  const parts = at.isClass
    ? [fill(phrases.statement_class, { model, depth, places })]
    : [fill(phrases.statement, {
        model, role: phrases[role], layer: at.layer, depth, head: headName(at.isRollout ? 0 : at.head), places,
        low: at.signed ? shortly(-at.limit) : "0", high: shortly(at.limit),
      }), at.signed ? phrases.linear : phrases.root, phrases.eight_bits];
  if (!at.isClass && !at.maps.whole) {
    const { rows, columns } = at.maps.plane(at.layer, at.head);
    if (rows < places) parts.push(fill(phrases.reduced, { queries: rows, keys: columns, places }));
  }
  return [...parts, phrases.misleads].join(phrases.between);
}

function tabulate(at) {
  const order = at.signed ? Array.from(at.row.keys()).sort((a, b) => Math.abs(at.row[b]) - Math.abs(at.row[a])) : at.mass.order;
  const rows = order.slice(0, 50).map((place, i) => [i + 1, data.labels[place], shortly(at.row[place]), at.chosen?.[place] ? phrases.yes : ""]);
  part(".numbers-of .box").replaceChildren(numbersTable(phrases.table, [phrases.rank, phrases.where, phrases.weight, phrases.in_mass], rows));
}

const isShownCheck = (at) => check.layer === at.layer && check.head === at.head && check.position === selected().position;

function tellCheck(at) {
  const box = part(".check .result");
  part(".run-check").hidden = at.isClass;
  box.hidden = !check || !isShownCheck(at) || at.isClass;
  if (box.hidden) return;
  const who = check.head ? fill(phrases.check_one, { head: check.head }) : phrases.check_all;
  const notes = [check.rho === null ? phrases.check_undefined : fill(phrases.check_found, { rho: check.rho.toFixed(2).replace("-", "−"), n: check.raw.length, layer: check.layer, who, query: named(at.place) })];
  if (check.raw.length < data.labels.length) notes.push(fill(phrases.check_grouped, { count: check.raw.length }));
  if (data.role === "difference") notes.push(phrases.check_student);
  setText(part(".check .found"), notes.join(phrases.between));
}

function tellMeasures(at) {
  const what = part(".measures .what");
  part(".measures details").hidden = !isMeasured();
  if (!isMeasured()) { setText(what, phrases.measures_waiting); return; }
  setText(what, fill(phrases.measures_what, { items: measures.items, positions: measures.positions }));
  if (!measures.isTabled) part(".measures .box").replaceChildren(measuresTable(at, measures));
  measures.isTabled = true;
  const list = part("figure.heads .kinds");
  list.hidden = !at.kinds;
  if (at.kinds && !list.children.length) {
    for (const [kind, [, sign]] of Object.entries(KINDS)) {
      const item = made("li");
      const badge = made("span", "sign", sign);
      badge.style.color = kind === "vertical" ? "#ff8a70" : KINDS[kind][0];
      item.append(badge, made("span", "", phrases[kind]));
      list.append(item);
    }
  }
}

// What the server is asked ---------------------------------------------------------------------------------------------

// Whatever the page lacks for what is chosen now.
function lacking() {
  if (!data || data.isEmpty) return "";
  const { mode, sinks } = settings(), { layer, position } = selected();
  if (mode === "class") return relevance ? "" : "class";
  const maps = mode === "rollout" ? rollout : raw;
  if (!maps) return "rollout";
  if (mode === "raw" && (data.role === "difference" || !maps.whole) && maps.hiddenByServer !== (sinks === "hidden")) return `sinks ${sinks}`;
  if (!maps.whole && (maps.rowsOf !== position || maps.largeOf !== layer)) return `${mode} ${layer} ${position}`;
  return "";
}

function change() {
  draw();
  clearTimeout(later);
  waitingFor = lacking();
  if (!waitingFor) return;
  later = setTimeout(() => { // after the selector has told the server of a new place
    waitingFor = lacking();
    if (waitingFor) trigger("ask", {});
  }, 350);
}

function receive(answer) {
  if (answer.kind === "file") { download(answer); return; }
  if (!answer.kind || !isOf(answer)) return;
  waitingFor = "";
  if (answer.kind === "maps") {
    const maps = new Maps(answer.maps, context());
    if (answer.maps.mode === "rollout") rollout = maps;
    else raw = maps;
    memory.key = "";
  } else if (answer.kind === "class") relevance = answer;
  else if (answer.kind === "check") check = answer;
  else if (answer.kind === "measures") {
    measures = { ...answer, model: data.model, role: data.role };
    part("figure.heads .kinds").replaceChildren();
    memory.key = "";
  }
  change();
}

function download({ path, name }) {
  const link = made("a");
  link.href = `${(window.gradio_config?.root ?? "").replace(/\/$/, "")}/gradio_api/file=${path}`;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

const ASKS = {
  csv: () => trigger("keep_csv", {}), npz: () => trigger("keep_npz", {}), svg: () => trigger("keep_svg", {}),
  pdf: () => trigger("keep_pdf", {}), png: () => trigger("keep_png", {}),
};

// How one moves ----------------------------------------------------------------------------------------------------------

const lastPosition = () => data.labels.length - data.classTokens - 1;
const goTo = (position) => lab.select({ position: clamp(position, -data.classTokens, lastPosition()) });

function move(name, key, isFar) {
  const { layer, head, position } = selected(), across = forms[name]?.across ?? 1, far = isFar ? 5 : 1;
  const toward = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (name === "heads") {
    if (toward) lab.select({ layer: clamp(layer + toward[1], 1, data.depth), head: clamp(head + toward[0], 0, data.heads) });
    else if (key === "Home") lab.select({ layer: 1, head: 0 });
    else if (key === "End") lab.select({ layer: data.depth, head: data.heads });
    else return false;
    return true;
  }
  if (toward && data.grid && name === "place") {
    const next = position < 0 ? 0 : position + toward[0] * far + toward[1] * data.grid[1];
    if (next >= 0 && next <= lastPosition()) goTo(next);
  } else if (toward) goTo(position + (toward[0] + toward[1]) * (isFar ? 10 : 1));
  else if (key === "Home") goTo(-data.classTokens);
  else if (key === "End") goTo(lastPosition());
  else if (key === "c" && data.classTokens) goTo(-1);
  else return false;
  return true;
}

const plotOf = (event) => data && !data.isEmpty && event.target.closest?.(".plot");
const nameOf = (plot) => plot.parentElement.className;

function pointAt(plot, event) {
  const name = nameOf(plot), form = forms[name], box = plot.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  if (!form) return;
  if (name === "heads") {
    const found = headAt(form, now(), x, y);
    if (found) lab.select(found);
  } else if (name === "place") {
    const position = form.positionAt(x, y);
    if (position !== null && settings().mode !== "class") goTo(position);
  } else goTo(form.placeAt(x, y) - data.classTokens);
}

element.addEventListener("keydown", (event) => {
  const plot = plotOf(event);
  if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
  if (move(nameOf(plot), event.key, event.shiftKey)) event.preventDefault();
});

let gripped = null;
element.addEventListener("pointerdown", (event) => {
  const plot = plotOf(event);
  if (!plot || event.button) return;
  gripped = event.pointerType === "mouse" && nameOf(plot) !== "heads" ? plot : null;
  if (gripped) pointAt(plot, event);
});
element.addEventListener("pointermove", (event) => {
  if (gripped && plotOf(event) === gripped && event.buttons & 1) pointAt(gripped, event);
});
window.addEventListener("pointerup", () => { gripped = null; });

element.addEventListener("click", (event) => {
  const plot = plotOf(event), kind = event.target.closest?.("[data-keep]")?.dataset.keep;
  if (plot) pointAt(plot, event);
  else if (event.target.closest?.(".class-token")) goTo(-1);
  else if (event.target.closest?.(".run-check")) {
    part(".check .working").textContent = phrases.check_running;
    part(".check .working").hidden = false;
    part(".run-check").disabled = true;
    setTimeout(() => trigger("check", {}), 200);
  } else if (kind && ASKS[kind]) {
    part(".keeping").textContent = phrases.keeping;
    setTimeout(ASKS[kind], 200);
  }
});
part(".numbers-of").addEventListener("toggle", () => { if (data && !data.isEmpty) tabulate(now()); });

const onSelect = () => { if (data) change(); };
const onAnswer = (event) => { if (event.detail) receive(event.detail); };
const onDone = () => { // of whatever was asked, also where it failed
  part(".check .working").hidden = true;
  part(".run-check").disabled = false;
  part(".keeping").textContent = "";
  part(".measures .what").classList.remove("pending");
};
const listening = [["lab-select", onSelect], ["lab-attention", onSelect], ["lab-attention-answer", onAnswer], ["lab-attention-done", onDone]];
for (const [name, heard] of listening) document.addEventListener(name, heard);

// Measures take a second or two: they are made when somebody comes to see them.
const askMeasures = () => {
  if (!isSeen || !data || data.isEmpty || isMeasured() || asksMeasures) return;
  asksMeasures = true;
  part(".measures .what").classList.add("pending");
  trigger("measure", {});
};
const seen = new IntersectionObserver((entries) => {
  isSeen = entries.at(-1).isIntersecting;
  askMeasures();
});
seen.observe(part(".measures"));
const size = new ResizeObserver(() => { memory.key = ""; draw(); });
size.observe(element);
const theme = new MutationObserver(() => {
  if (element.isConnected) {
    memory.key = "";
    if (data?.sound) spectrogram = paintedSound(data.sound);
    draw();
    return;
  }
  for (const one of [theme, size, seen]) one.disconnect(); // the picture is gone, and with it what it listens to
  for (const [name, heard] of listening) document.removeEventListener(name, heard);
});
theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", read);
read();
