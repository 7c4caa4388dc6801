// Draws the items as points: one large map of the chosen layer, small ones of all layers, and one selection through all.
// `js_on_load` of a gr.HTML: `element`, `props`, `watch` and `server` are given. Texts come from Python, and none is read as markup.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a500", "#7f7f7f"];
const SHAPES = 4; // circle, square, triangle, diamond: colour and shape together tell the classes
const part = (selector, within = element) => within.querySelector(selector);
const words = (text) => new Uint16Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
const sheets = new Map(), clips = new Map();

let data = null, reaches = [], points = null, near = null, sheet = null;
let layer = 0, kind = 0, picked = null, pointed = null, emphasised = null, frame = null, sound = null;

const item = () => pointed ?? picked;
const x = (at, i) => points[2 * (at * data.items + i)] / 65535;
const y = (at, i) => 1 - points[2 * (at * data.items + i) + 1] / 65535;

// Where the items of a layer lie on a canvas, with one scale for both axes: [left, top] functions.
function placing(at, width, height, margin) {
  if (!reaches[at]) {
    const all = Array.from({ length: data.items }, (_, i) => i);
    const ends = (along) => [Math.min(...all.map((i) => along(at, i))), Math.max(...all.map((i) => along(at, i)))];
    reaches[at] = [...ends(x), ...ends(y)];
  }
  const [left, right, top, bottom] = reaches[at];
  const scale = Math.min((width - 2 * margin) / Math.max(right - left, 1e-6), (height - 2 * margin) / Math.max(bottom - top, 1e-6));
  return [
    (i) => width / 2 + scale * (x(at, i) - (left + right) / 2),
    (i) => height / 2 + scale * (y(at, i) - (top + bottom) / 2),
  ];
}

const edgeOf = (width, height) => Math.max(18, Math.min(40, 6.2 * Math.sqrt((width * height) / data.items / 18)));
const marginOf = (isLarge, edge) => (isLarge ? (sheet ? edge / 2 + 3 : 14) : 7);
const neighbours = (at, i) => Array.from(near.subarray((at * data.items + i) * data.k, (at * data.items + i + 1) * data.k));
const nameOf = (i) => (/^\d+$/.test(data.names[i]) ? fill(data.phrases.number, { number: data.names[i] }) : data.names[i]);
// Bundled items bear English names on every page: words that the text model reads, and titles of recordings and photographs.
const BUNDLED = ["things", "prompts", "photographs"];
const inItsLanguage = (part) => (BUNDLED.includes(data.media) ? Object.assign(part, { lang: "en" }) : part);
const nameOfLayer = (at) => (at ? fill(data.phrases.layer, { layer: at }) : data.phrases.input);
const codeOf = (i) => data.labels[kind]?.codes[i] ?? 0;
const labelOf = (i) => data.labels[kind]?.classes[codeOf(i)] ?? "";
const labelled = (i) => (labelOf(i) ? `${nameOf(i)} (${labelOf(i)})` : nameOf(i));

function read() {
  const value = props.value;
  if (!value || !value.points) {
    part(".layer-maps").hidden = true;
    part(".waiting").hidden = false;
    return;
  }
  const same = data && data.media === value.media && data.names.join() === value.names.join();
  data = value;
  points = words(data.points);
  reaches = [];
  near = words(data.near);
  if (!same) { picked = pointed = emphasised = null; kind = 0; }
  layer = Math.min(lab.selected.layer, data.layers - 1);
  kind = Math.min(kind, Math.max(data.labels.length - 1, 0));
  part(".layer-maps").hidden = false;
  part(".waiting").hidden = true;
  if (!same) sheet = null;
  fetchSheet();
  arrange();
}

async function fetchSheet() {
  const own = data.thumbnails;
  if (!own && !["things", "photographs"].includes(data.media)) return;
  if (!own && !sheets.has(data.media)) sheets.set(data.media, server.fetch_media({ items: data.media }));
  const from = data;
  const address = own || await sheets.get(data.media).catch(() => "");
  if (!address || from !== data) return;
  const image = new Image();
  image.onload = () => { if (from === data) { sheet = image; draw(); card(); } };
  image.src = address;
}

function arrange() {
  const by = part(".by"), items = part(".item");
  part("span", by).textContent = data.phrases.by;
  part("span", items).textContent = data.phrases.item;
  by.hidden = !data.labels.length;
  const option = (text, value, chosen) => Object.assign(made("option", "", text), { value, selected: chosen });
  part("select", by).replaceChildren(...data.labels.map(({ name }, i) => option(name, i, i === kind)));
  part("select", items).replaceChildren(option(data.phrases.none, "", picked === null),
    ...data.names.map((_, i) => option(labelled(i), i, i === picked)));
  part(".table summary").textContent = data.phrases.table;
  part(".table .box").setAttribute("aria-label", data.phrases.table);
  part(".small-maps").replaceChildren(...Array.from({ length: data.layers }, (_, at) => {
    const figure = made("figure"), caption = made("figcaption", "", nameOfLayer(at)), button = made("button");
    button.type = "button";
    button.dataset.layer = at;
    button.append(made("canvas"));
    button.firstChild.setAttribute("aria-hidden", "true");
    button.setAttribute("aria-label", fill(data.phrases.map, { items: data.items, layer: nameOfLayer(at) }));
    figure.append(caption, button, made("p", "small", data.quality[at]));
    return figure;
  }));
  const large = part(".large canvas");
  large.setAttribute("aria-valuemax", data.items);
  legend();
  if (part(".table").open) table();
  choose(picked);
}

function legend() {
  const classes = data.labels[kind]?.classes ?? [];
  const list = part(".kinds");
  list.setAttribute("aria-label", data.phrases.classes);
  list.replaceChildren(...classes.map((name, code) => {
    const entry = made("li"), button = made("button"), sign = made("canvas", "sign");
    sign.ariaHidden = "true"; // it has its words beside it
    button.type = "button";
    button.dataset.code = code;
    button.setAttribute("aria-pressed", code === emphasised);
    const pen = sized(sign, 14, 14);
    dot(pen, 7, 7, 5, code);
    button.append(sign, made("span", "", name));
    entry.append(button);
    return entry;
  }));
}

// Drawing -----------------------------------------------------------------------------------------------------------------

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

function dot(pen, left, top, radius, code) {
  pen.fillStyle = COLOURS[code % COLOURS.length];
  pen.beginPath();
  const shape = Math.floor(code / COLOURS.length) % SHAPES;
  if (shape === 0) pen.arc(left, top, radius, 0, 7);
  else if (shape === 1) pen.rect(left - 0.85 * radius, top - 0.85 * radius, 1.7 * radius, 1.7 * radius);
  else {
    const corners = shape === 2 ? [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]] : [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]];
    corners.forEach(([right, down], i) => pen[i ? "lineTo" : "moveTo"](left + radius * right, top + radius * down));
    pen.closePath();
  }
  pen.fill();
}

function picture(pen, i, left, top, edge) {
  const at = data.thumbnails ? i : data.index[i];
  pen.drawImage(sheet, (at % data.columns) * data.side, Math.floor(at / data.columns) * data.side, data.side, data.side,
    left - edge / 2, top - edge / 2, edge, edge);
}

function map(canvas, at, width, height, isLarge) {
  const pen = sized(canvas, width, height), chosen = item();
  const edge = edgeOf(width, height), [left, top] = placing(at, width, height, marginOf(isLarge, edge));
  const close = chosen === null ? [] : neighbours(at, chosen);
  const ink = getComputedStyle(element).color;
  if (chosen !== null) {
    pen.strokeStyle = ink;
    pen.globalAlpha = 0.45;
    pen.lineWidth = isLarge ? 1.2 : 0.8;
    for (const other of close) {
      pen.beginPath();
      pen.moveTo(left(chosen), top(chosen));
      pen.lineTo(left(other), top(other));
      pen.stroke();
    }
  }
  const ordered = Array.from({ length: data.items }, (_, i) => i);
  if (chosen !== null) ordered.push(...close, chosen);
  ordered.forEach((i, place) => {
    const marked = place >= data.items;
    const dimmed = !marked && ((emphasised !== null && codeOf(i) !== emphasised) || chosen !== null);
    pen.globalAlpha = dimmed ? (emphasised !== null && codeOf(i) !== emphasised ? 0.12 : 0.45) : 0.95;
    if (isLarge && sheet) {
      picture(pen, i, left(i), top(i), i === chosen ? 1.6 * edge : edge);
      if (data.labels.length && !dimmed) dot(pen, left(i) + edge / 2 - 3, top(i) + edge / 2 - 3, 3, codeOf(i));
    } else dot(pen, left(i), top(i), isLarge ? (marked ? 7 : 5) : marked ? 3.6 : 2.4, codeOf(i));
  });
  pen.globalAlpha = 1;
  if (chosen === null) {
    const told = ordered.filter((i) => emphasised === null || codeOf(i) === emphasised);
    if (isLarge && !sheet && data.items <= 120) write(pen, told, left, top, width, ink, 11);
    return;
  }
  pen.strokeStyle = ink;
  pen.lineWidth = isLarge ? 2.5 : 2;
  pen.beginPath();
  pen.arc(left(chosen), top(chosen), isLarge ? (sheet ? 0.95 * edge : 11) : 6.5, 0, 7);
  pen.stroke();
  if (isLarge && !sheet) write(pen, [chosen, ...close], left, top, width, ink, 13);
}

// Names beside their points, where there are names.
function write(pen, items, left, top, width, ink, size) {
  pen.font = `${size}px ${getComputedStyle(element).fontFamily}`;
  pen.fillStyle = ink;
  for (const i of items) {
    if (/^\d+$/.test(data.names[i])) continue;
    const name = data.names[i].length > 24 ? `${data.names[i].slice(0, 23)}…` : data.names[i];
    pen.fillText(name, Math.min(left(i) + 8, width - pen.measureText(name).width - 2), top(i) + 4);
  }
}

function draw() {
  if (frame !== null) return;
  frame = requestAnimationFrame(() => {
    frame = null;
    const box = part(".layer-maps");
    if (!data || box.hidden || !box.clientWidth) return;
    const figure = part(".large figure");
    const width = Math.floor(figure.clientWidth), height = Math.min(width, 460);
    map(part(".large canvas"), layer, width, height, true);
    part(".large figcaption").textContent = `${nameOfLayer(layer)} · ${data.quality[layer]}`;
    for (const button of element.querySelectorAll(".small-maps button")) {
      const at = Number(button.dataset.layer), edge = Math.floor(button.clientWidth) - 2;
      button.setAttribute("aria-pressed", at === layer);
      map(part("canvas", button), at, edge, edge, false);
    }
  });
}

// What is said of an item -----------------------------------------------------------------------------------------------

function thumbnail(i, edge) {
  if (!sheet) return [];
  const canvas = made("canvas", "thumbnail");
  canvas.setAttribute("aria-hidden", "true");
  picture(sized(canvas, edge, edge), i, edge / 2, edge / 2, edge);
  return [canvas];
}

function card() {
  const place = part(".card"), i = item();
  if (i === null) {
    place.replaceChildren(made("p", "small", data.phrases.start),
      ...(data.media || data.thumbnails || data.modality === "text" ? [] : [made("p", "small", data.phrases.absent)]),
      ...(data.labels.length ? [] : [made("p", "small", data.phrases.unlabelled)]));
    return;
  }
  const credit = data.credits[data.credits.length > 1 ? data.index[i] : 0];
  const head = made("div", "head");
  head.append(...thumbnail(i, 72), inItsLanguage(made("h3", "", nameOf(i))));
  const facts = made("dl");
  for (const { name, classes, codes } of data.labels) facts.append(made("dt", "", name), made("dd", "", classes[codes[i]]));
  const close = neighbours(layer, i), list = made("ol");
  for (const other of close) {
    const entry = made("li"), button = made("button");
    button.type = "button";
    button.dataset.item = other;
    const sign = made("canvas", "sign");
    sign.ariaHidden = "true"; // it has its words beside it
    dot(sized(sign, 14, 14), 7, 7, 5, codeOf(other));
    button.append(...(sheet ? thumbnail(other, 28) : [sign]), made("span", "", labelled(other)));
    entry.append(button);
    list.append(entry);
  }
  const parts = [head, facts];
  if (["things", "prompts"].includes(data.media)) {
    const play = made("button", "play", data.phrases.play);
    play.type = "button";
    parts.push(play);
  }
  parts.push(made("h4", "", fill(data.phrases.near, { layer: nameOfLayer(layer) })), list);
  if (data.labels.length) {
    const same = close.filter((other) => codeOf(other) === codeOf(i)).length;
    parts.push(made("p", "small", fill(data.phrases.agreed, { same, k: close.length, label: data.labels[kind].name })));
  }
  if (credit) parts.push(made("p", "small source", fill(data.phrases.source, { source: credit })));
  place.replaceChildren(...parts);
}

function tell() {
  const i = item(), large = part(".large canvas");
  const said = i === null ? "" : fill(data.phrases.told, {
    name: labelled(i), layer: nameOfLayer(layer), near: neighbours(layer, i).map(nameOf).join(", "),
  });
  large.setAttribute("aria-valuenow", i === null ? 1 : i + 1);
  large.setAttribute("aria-valuetext", i === null ? data.phrases.none : labelled(i));
  large.setAttribute("aria-label", fill(data.phrases.map, { items: data.items, layer: nameOfLayer(layer) }));
  part(".told").textContent = said || data.note;
}

function table() {
  const heads = [data.phrases.item, ...data.labels.map(({ name }) => name), "x", "y", fill(data.phrases.near, { layer: nameOfLayer(layer) })];
  const rows = Array.from({ length: data.items }, (_, i) => [
    nameOf(i), ...data.labels.map(({ classes, codes }) => classes[codes[i]]),
    x(layer, i).toFixed(3), (1 - y(layer, i)).toFixed(3), neighbours(layer, i).map(nameOf).join(", "),
  ]);
  const whole = numbersTable(data.phrases.table, heads, rows);
  for (const { cells } of whole.tBodies[0].rows) for (const cell of [cells[0], cells[cells.length - 1]]) inItsLanguage(cell);
  part(".table .box").replaceChildren(whole);
}

function choose(i) {
  picked = i;
  pointed = null;
  const select = part(".item select");
  if (select.value !== String(i ?? "")) select.value = i ?? "";
  refresh();
}

function refresh() {
  draw();
  card();
  tell();
}

function go(to) {
  layer = Math.max(0, Math.min(data.layers - 1, to));
  if (layer > 0) lab.select({ layer });
  refresh();
  if (part(".table").open) table();
}

function nearestTo(event, canvas, at) {
  const box = canvas.getBoundingClientRect();
  const isLarge = Boolean(canvas.closest(".large")), edge = edgeOf(box.width, box.height);
  const [left, top] = placing(at, box.width, box.height, marginOf(isLarge, edge));
  let best = null, least = (isLarge ? 24 : 9) ** 2;
  for (let i = 0; i < data.items; i++) {
    const distance = (left(i) - event.clientX + box.left) ** 2 + (top(i) - event.clientY + box.top) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

const mapOf = (target) => {
  const canvas = target.closest?.(".large figure canvas, .small-maps canvas");
  return canvas ? [canvas, canvas.closest("button") ? Number(canvas.closest("button").dataset.layer) : layer] : null;
};

element.addEventListener("pointermove", (event) => {
  if (!data || event.pointerType !== "mouse") return;
  const found = mapOf(event.target), before = pointed;
  pointed = found ? nearestTo(event, ...found) : null;
  if (pointed !== before && (found || before !== null)) { draw(); card(); }
});
element.addEventListener("pointerleave", () => { if (data && pointed !== null) { pointed = null; refresh(); } });
element.addEventListener("click", (event) => {
  if (!data) return;
  const found = mapOf(event.target), button = event.target.closest("button");
  if (found) {
    const hit = nearestTo(event, ...found);
    if (hit !== null) choose(hit);
    if (button) go(Number(button.dataset.layer));
  } else if (button?.dataset.layer) go(Number(button.dataset.layer));
  else if (button?.dataset.item) { choose(Number(button.dataset.item)); part(".large canvas").focus({ preventScroll: true }); }
  else if (button?.dataset.code) {
    emphasised = emphasised === Number(button.dataset.code) ? null : Number(button.dataset.code);
    for (const one of element.querySelectorAll(".kinds button")) one.setAttribute("aria-pressed", Number(one.dataset.code) === emphasised);
    draw();
  } else if (button?.classList.contains("play")) play(button);
});

async function play(button) {
  const key = `${data.media} ${data.index[item()]}`;
  if (!clips.has(key)) clips.set(key, server.fetch_media({ items: data.media, index: data.index[item()] }));
  const address = await clips.get(key).catch(() => "");
  if (!address) return;
  sound?.pause();
  sound = new Audio(address);
  button.textContent = data.phrases.playing;
  sound.onended = sound.onpause = () => { if (button.isConnected) button.textContent = data.phrases.play; };
  sound.play().catch(() => { button.textContent = data.phrases.play; });
}

element.addEventListener("keydown", (event) => {
  if (!data || !event.target.closest(".large figure canvas")) return;
  const i = picked ?? -1, last = data.items - 1;
  const keys = {
    ArrowRight: () => choose(i >= last ? 0 : i + 1), ArrowLeft: () => choose(i <= 0 ? last : i - 1),
    ArrowUp: () => go(layer + 1), ArrowDown: () => go(layer - 1),
    Home: () => choose(0), End: () => choose(last), Escape: () => choose(null),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
element.addEventListener("change", (event) => {
  if (event.target.closest(".item")) choose(event.target.value === "" ? null : Number(event.target.value));
  if (event.target.closest(".by")) {
    kind = Number(event.target.value);
    emphasised = null;
    legend();
    refresh();
  }
});
element.addEventListener("toggle", (event) => { if (event.target.matches(".table") && event.target.open) table(); }, true);
document.addEventListener("lab-select", () => {
  if (!element.isConnected || !data) return;
  const wanted = Math.min(lab.selected.layer, data.layers - 1);
  if (wanted === layer) return;
  layer = wanted;
  refresh();
});
new ResizeObserver(draw).observe(element);
watch("value", read);
read();
