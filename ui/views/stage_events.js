// What is said about the picture, and what the visitor does with it.
function tellTexts() {
  const one = data.tensors[rule.tensor], mean = one.means[rule.k - 1], count = mask.reduce((sum, each) => sum + each, 0);
  const least = (1 / rule.k).toFixed(2), isStill = !isStale();
  const isBlind = data.mustSee && count === data.count;
  part(".count").textContent = say("count", { masked: count, positions: data.count, share: percent(count / data.count) });
  part(".stale").textContent = !count ? say("none") : isBlind ? say("must_see") : isStill ? "" : say("stale");
  part(".stage").classList.toggle("is-stale", !isStill);
  const run = part("[data-do=run]");
  run.disabled = !count || isBlind;
  run.classList.toggle("primary", !isStill);
  part("[data-do=undo]").disabled = !before.length;
  const isOwnRule = rule.k === data.own.k && rule.tensor === data.own.tensor;
  const slider = part("input.k");
  slider.value = rule.k;
  const values = { k: rule.k, depth: data.depth };
  part(".rule output").textContent = say(data.isPredicted && rule.k === data.own.k ? "k_own" : "k_value", values);
  slider.setAttribute("aria-valuetext", part(".rule output").textContent);
  for (const button of parts("[data-tensor]")) {
    const name = say(button.dataset.tensor);
    button.textContent = data.isPredicted && button.dataset.tensor === data.own.tensor ? say("own_tensor", { tensor: name }) : name;
    button.setAttribute("aria-pressed", button.dataset.tensor === rule.tensor);
  }
  for (const button of parts("[data-measure]")) button.setAttribute("aria-pressed", button.dataset.measure === measure);
  for (const button of parts("[data-show]")) button.setAttribute("aria-pressed", button.dataset.show === show);
  part(".target .note").textContent = say("target_note", { k: rule.k });
  part(".scale").textContent = say(`scale_${measure}`, { most: one.limit.toFixed(2), least: 0, positions: data.count });
  const shares = one.explained.map((share) => percent(share)).join(" + ");
  const other = data.isPredicted && !isOwnRule ? [say("other_rule", { k: data.own.k, tensor: say(data.own.tensor) })] : [];
  const layers = rule.k > 1 ? `${data.depth - rule.k + 1}–${data.depth}` : data.depth;
  const facts = fill(data.facts, { k: rule.k, layers, tensor: say(rule.tensor), agreement: mean.agreement.toFixed(2), least });
  part(".facts").textContent = [...other, facts, say("explained", { shares })].join(say("between_sentences"));
  sums([
    ["mean_error", digits(mean.error), say("guess", { guess: digits(mean.guess) })],
    ["mean_cosine", digits(mean.cosine), say("cosine_note")],
    ["first", percent(mean.first), say("chance", { chance: percent(1 / data.count, 1), positions: data.count })],
    ["median_rank", mean.rank.toFixed(mean.rank % 1 ? 1 : 0), say("median_note", { positions: data.count, middle: (data.count + 1) / 2 })],
    ["agreement", mean.agreement.toFixed(2), say("agreement_note", { least })],
  ]);
  part(".agreement-scale i").style.left = `${100 * clamp((mean.agreement - 1 / rule.k) / Math.max(1 - 1 / rule.k, 1e-9), 0, 1)}%`;
  tellWindow();
  tellStudent();
}

function sums(rows) {
  part(".sums").replaceChildren(...rows.map(([name, value, note]) => {
    const box = document.createElement("div"), title = document.createElement("dt");
    const number = document.createElement("dd"), below = document.createElement("dd");
    title.textContent = say(name);
    number.textContent = value;
    number.className = "number";
    below.textContent = note;
    below.className = "small";
    box.append(title, number);
    if (name === "agreement") {
      const scale = document.createElement("dd");
      scale.className = "agreement-scale";
      scale.setAttribute("aria-hidden", "true");
      scale.append(document.createElement("i"));
      box.append(scale);
    }
    box.append(below);
    return box;
  }));
}

function nameOf(place) {
  if (place < 0) return say("class_token");
  return say(`at_${data.kind}`, { position: place, label: data.labels[place] });
}

function tellStudent() {
  const place = part(".student .place"), at = clamp(lab.selected.position, 0, data.count - 1);
  place.setAttribute("aria-valuemax", data.count - 1);
  place.setAttribute("aria-valuenow", at);
  place.setAttribute("aria-valuetext", say("at", { place: nameOf(at), state: stateOf(at) }));
}

function stateOf(place) {
  if (!data.maskable[place]) return say("special");
  if (mask[place] !== data.isMasked[place]) return say("unrun");
  return say(mask[place] ? "masked" : "visible");
}

// The place that is selected, in words and as what it is most like.
function tellDetail(look) {
  const at = lab.selected.position, pictures = part(".pictures"), said = [];
  pictures.replaceChildren();
  if (at >= data.count) return;
  if (at < 0) { part(".told").textContent = say("class_token"); return; }
  const here = found(at);
  said.push(say("at", { place: nameOf(at), state: stateOf(at) }));
  if (here) {
    if (data.kind === "text" && data.read[at] !== data.mask) {
      said.push(data.read[at] === data.labels[at] ? say("read_same") : say("read_other", { token: data.read[at] }));
    }
    said.push(say("numbers", { error: digits(here.error), cosine: digits(here.cosine), rank: here.rank, positions: data.count }));
    said.push(say("nearest", { places: here.nearest.map((one) => nameOf(one)).join("; ") }));
    pictures.append(swatch(targetColour(at), say("target")), swatch(predictedColour(at), part(".prediction h2").textContent));
  }
  if (data.kind !== "text") {
    pictures.prepend(snippet(at, say("there"), look));
    (here?.nearest ?? []).forEach((one, i) => pictures.append(snippet(one, `${i + 1}: ${one === at ? say("there") : data.labels[one]}`, look)));
  }
  part(".told").textContent = said.map((one, i) => (i ? one[0].toUpperCase() + one.slice(1) : one)).join(" · ");
}

function swatch(colour, text) {
  const figure = document.createElement("figure"), box = document.createElement("span"), caption = document.createElement("figcaption");
  box.className = "colour";
  box.style.background = colour;
  caption.textContent = text;
  figure.append(box, caption);
  return figure;
}

function snippet(place, text, look) {
  const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
  canvas.setAttribute("aria-hidden", "true");
  const width = data.kind === "audio" ? 112 : 64;
  canvas.style.width = `${width}px`;
  const context = sheet(canvas, width, 64);
  if (data.kind === "vision") { if (isReady()) copyPatch(context, place, 0, 0, 64, 64); } else {
    for (let i = -8; i <= 8; i++) {
      if (place + i < 0 || place + i >= data.count) continue;
      const x = (i + 8) * width / 17;
      if (!i) { context.fillStyle = GREY; context.fillRect(x, 0, width / 17, 64); }
      wave(context, place + i, x, width / 17, 64, look.ink);
    }
  }
  caption.textContent = text;
  figure.append(canvas, caption);
  return figure;
}

function fillTable() {
  const names = ["position", "place", ...(data.read ? ["read"] : []), "error", "cosine", "rank", "nearest_place"];
  const rows = data.places.map((at) => {
    const here = found(at), read = data.read ? [data.read[at]] : [];
    return [at, data.labels[at], ...read, digits(here.error), digits(here.cosine), here.rank, data.labels[here.nearest[0]]];
  });
  part(".table .box").replaceChildren(numbersTable(say("hidden_places"), names.map((name) => say(name)), rows));
}

// The part of a clip that is seen -----------------------------------------------------------------------------------

function look(from, size) {
  const whole = data.count, wide = clamp(size, Math.min(12, whole), whole);
  const first = clamp(Math.round(from), 0, whole - wide);
  view = { from: first, to: first + wide };
  draw();
}

function tellWindow() {
  const isPart = data.kind === "audio" && view.to - view.from < data.count;
  part(".window").hidden = data.kind !== "audio" || data.count <= 24;
  const slider = part("input.from");
  slider.max = data.count - (view.to - view.from);
  slider.value = view.from;
  slider.disabled = !isPart;
  const time = (frames) => say("seconds", { number: (frames * data.step).toFixed(2) });
  part(".seen").textContent = say("seen", { first: time(view.from), last: time(view.to), whole: time(data.count) });
  slider.setAttribute("aria-valuetext", part(".seen").textContent);
}

// The mask ----------------------------------------------------------------------------------------------------------

function change(make) {
  const was = mask.slice();
  make();
  if (was.some((one, place) => one !== mask[place])) before.push(was);
  draw();
}

const set = (place, isHidden) => { if (data.maskable[place]) mask[place] = isHidden ? 1 : 0; };

function run(masked, seed = data.asked.seed) {
  keep({ masked, seed });
  trigger("run");
}

const actions = {
  own: () => run("", clamp(Math.round(Number(part(".seed").value) || 0), 0, Number(part(".seed").max))),
  undo: () => { mask = before.pop() ?? mask; draw(); },
  invert: () => change(() => mask.forEach((one, place) => set(place, !one))),
  clear: () => change(() => mask.fill(0)),
  run: () => { if (!part("[data-do=run]").disabled) run(isStale() || data.asked.masked ? positions(mask) : ""); },
  closer: () => zoom(0.5),
  wider: () => zoom(2),
};

function zoom(by) {
  const middle = (view.from + view.to) / 2, size = Math.round((view.to - view.from) * by);
  look(middle - size / 2, size);
}

function ask(wanted) {
  keep({ wanted });
  trigger("keep");
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !data) return;
  const { do: name, tensor, measure: other, show: shown, layer } = button.dataset;
  if (layer) lab.select({ layer: Number(layer) });
  if (tensor) { rule.tensor = tensor; keep(); draw(); }
  if (other) { measure = other; draw(); }
  if (shown) { show = shown; draw(); }
  if (!name) return;
  if (name.startsWith("keep-")) {
    const file = name.slice(5);
    ask(["csv", "npz"].includes(file) ? file : `${part(".figure").value}.${file}`);
  } else actions[name]();
});
element.addEventListener("input", (event) => {
  if (!data) return;
  if (event.target.matches("input.k")) { rule.k = Number(event.target.value); keep(); draw(); }
  if (event.target.matches("input.from")) look(Number(event.target.value), view.to - view.from);
});
element.addEventListener("toggle", (event) => { if (data && event.target.matches?.("details.table") && event.target.open) fillTable(); }, true);

// Where the pointer is: the number of a position, or -1.
function placeAt(event) {
  const place = event.target.closest?.(".place") ?? grip?.place;
  if (!place) return -1;
  if (data.kind === "text") {
    const under = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".chip");
    return under && place.contains(under) ? Number(under.dataset.at) : -1;
  }
  const box = place.querySelector("canvas").getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
  if (data.kind === "audio") return clamp(Math.floor(view.from + x * (view.to - view.from)), 0, data.count - 1);
  const [rows, columns] = data.grid;
  return clamp(Math.floor(y * rows), 0, rows - 1) * columns + clamp(Math.floor(x * columns), 0, columns - 1);
}

// All positions that a quick pointer has passed since it was last seen.
function between(first, last) {
  if (first < 0 || data.kind === "text") return [last];
  if (data.kind === "audio") return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => Math.min(first, last) + i);
  const columns = data.grid[1], [y0, x0, y1, x1] = [first, last].flatMap((one) => [Math.floor(one / columns), one % columns]);
  const steps = Math.max(Math.abs(y1 - y0), Math.abs(x1 - x0), 1);
  return Array.from({ length: steps + 1 }, (_, i) => Math.round(y0 + (y1 - y0) * i / steps) * columns + Math.round(x0 + (x1 - x0) * i / steps));
}

let grip = null;
element.addEventListener("pointerdown", (event) => {
  const place = data && event.button === 0 ? event.target.closest(".place") : null;
  const at = place ? placeAt(event) : -1;
  if (at < 0) return;
  if (place.dataset.of !== "student") { lab.select({ position: at }); return; }
  place.focus({ preventScroll: true });
  place.setPointerCapture(event.pointerId);
  grip = { place, at, isHidden: !mask[at], was: mask.slice() };
  set(at, grip.isHidden);
  lab.select({ position: at });
  draw();
});
element.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const at = placeAt(event);
  if (at < 0 || at === grip.at) return;
  for (const one of between(grip.at, at)) set(one, grip.isHidden);
  grip.at = at;
  draw();
});
for (const name of ["pointerup", "pointercancel"]) {
  element.addEventListener(name, () => {
    if (!grip) return;
    const { was, at } = grip;
    grip = null;
    if (was.some((one, place) => one !== mask[place])) before.push(was);
    lab.select({ position: at });
    draw();
  });
}

element.addEventListener("keydown", (event) => {
  if (!data || !event.target.matches?.(".student .place")) return;
  const columns = data.kind === "vision" ? data.grid[1] : data.kind === "audio" ? 10 : 5, at = clamp(lab.selected.position, 0, data.count - 1);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: data.count - 1 - at };
  if (event.key in steps) {
    const next = clamp(at + steps[event.key], 0, data.count - 1);
    if (event.shiftKey) change(() => between(at, next).forEach((one) => set(one, true)));
    lab.select({ position: next });
  } else if (event.key === " ") change(() => set(at, !mask[at]));
  else if (event.key === "Enter") actions.run();
  else if (event.key === "z" || event.key === "Z") actions.undo();
  else return;
  event.preventDefault();
});
part(".seed").addEventListener("keydown", (event) => { if (event.key === "Enter") actions.own(); });

const hear = () => {
  if (!element.isConnected || !data) return;
  const at = lab.selected.position;
  if (data.kind === "audio" && at >= 0 && (at < view.from || at >= view.to)) look(at - (view.to - view.from) / 2, view.to - view.from);
  draw();
};
document.addEventListener("lab-select", hear);
const size = new ResizeObserver(() => draw());
size.observe(element);
const theme = new MutationObserver(() => {
  if (element.isConnected) { draw(); return; }
  theme.disconnect(); // the picture is gone, and with it what it listens to
  size.disconnect();
  document.removeEventListener("lab-select", hear);
});
theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch(Object.keys({ data }), receive); // a name in quotes would be taken for that of an event
receive();
