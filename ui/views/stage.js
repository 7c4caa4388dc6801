// The stage: a student with a mask to paint, its teacher, and the target between them. `js_on_load` of a gr.HTML:
// `element`, `props`, `trigger` and `watch` are given. This part holds what is known and when it is drawn.
// `props.data` has every K of both tensors; `props.value` tells the server what the visitor has set.
const RAMP = [[0, 34, 78], [26, 56, 111], [67, 78, 108], [97, 101, 111], [125, 124, 120], [155, 148, 118], [188, 174, 108],
  [222, 201, 88], [254, 232, 56]]; // cividis, in eight steps
const CODES = 65535;

const part = (selector) => element.querySelector(selector);
const parts = (selector) => [...element.querySelectorAll(selector)];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const words = (text) => new Uint16Array(bytes(text).buffer);
const say = (name, values = {}) => fill(data.phrases[name], values);
const percent = (share, digits = 0) => say("percent", { number: (100 * share).toFixed(digits) });
const rgb = (array, place) => `rgb(${array[3 * place]},${array[3 * place + 1]},${array[3 * place + 2]})`;
const ramp = (share) => {
  const at = clamp(share, 0, 1) * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((one, i) => Math.round(one + (RAMP[low + 1][i] - one) * (at - low)));
};

let data = null, mask = null, before = [], rule = { k: 1, tensor: "hidden" }, measure = "error", show = "colours";
let view = { from: 0, to: 1 }, photo = null, grey = null, scheduled = false;

function receive() {
  const value = props.data;
  part(".stage").hidden = !value?.labels;
  part(".waiting").hidden = Boolean(value?.labels);
  if (!value?.labels) { data = null; return; }
  const count = value.labels.length, isMasked = bytes(value.masked);
  const places = [...isMasked.keys()].filter((place) => isMasked[place]);
  const index = new Int32Array(count).fill(-1);
  places.forEach((place, i) => { index[place] = i; });
  const tensors = Object.fromEntries(Object.entries(value.tensors).map(([name, one]) => [name, {
    ...one, tiles: bytes(one.tiles), targets: bytes(one.targets), predicted: bytes(one.predicted),
    error: words(one.error), cosine: words(one.cosine), rank: words(one.rank), nearest: words(one.nearest),
  }]));
  const isOther = JSON.stringify(data?.of) !== JSON.stringify(value.of);
  data = { ...value, count, places, index, isMasked, tensors, maskable: bytes(value.maskable),
    wave: value.wave ? bytes(value.wave) : null };
  for (const one of Object.values(tensors)) one.limit = limitOf(one);
  mask = isMasked.slice();
  before = [];
  rule = { k: value.asked.k || value.own.k, tensor: value.asked.tensor || value.own.tensor };
  if (isOther) view = { from: 0, to: count };
  part(".seed").value = value.asked.seed;
  layOut();
  if (isOther && data.kind === "audio") look(0, Math.max(24, Math.floor(area() / 3)));
  loadPhoto(value.picture);
  keep();
  draw();
}

// The largest error against the method's own K, so that colours stay the same whatever K is.
function limitOf(one) {
  const masked = data.places.length, own = one.error.subarray((data.own.k - 1) * masked, data.own.k * masked);
  return Math.max(...own, 1) / CODES * one.most;
}

function loadPhoto(source) {
  if (!source) { photo = null; return; }
  if (photo?.src === source) return;
  const image = new Image();
  photo = image;
  image.onload = () => {
    grey = document.createElement("canvas"); // once: filters are slow
    [grey.width, grey.height] = [image.naturalWidth, image.naturalHeight];
    const context = grey.getContext("2d");
    context.filter = "grayscale(1)";
    context.drawImage(image, 0, 0);
    draw();
  };
  image.src = source;
}

// What is known of a hidden place by the rule that is chosen; null where nothing is predicted.
function found(place, k = rule.k) {
  const i = data.index[place];
  if (i < 0) return null;
  const one = data.tensors[rule.tensor], masked = data.places.length, at = (k - 1) * masked + i;
  return {
    error: one.error[at] / CODES * one.most,
    cosine: one.cosine[at] / CODES * 2 - 1,
    rank: one.rank[at],
    nearest: [...one.nearest.subarray(at * one.near, (at + 1) * one.near)],
  };
}

const targetColour = (place) => rgb(data.tensors[rule.tensor].targets, (rule.k - 1) * data.count + place);
const tileColour = (layer, place) => rgb(data.tensors[rule.tensor].tiles, (layer - 1) * data.count + place);
const predictedColour = (place) =>
  rgb(data.tensors[rule.tensor].predicted, (data.isPredicted ? 0 : (rule.k - 1) * data.places.length) + data.index[place]);
const isInTarget = (layer) => layer > data.depth - rule.k;
const isSelected = (place) => lab.selected.position === place;
const isStale = () => mask.some((one, place) => one !== data.isMasked[place]);

// 0 where a prediction is right, 1 where it is as far off as the scale goes.
function farness(place) {
  const here = found(place);
  if (measure === "error") return here.error / data.tensors[rule.tensor].limit;
  if (measure === "cosine") return 1 - here.cosine;
  return Math.log(here.rank) / Math.log(Math.max(data.count, 2));
}

const digits = (number) => (Math.abs(number) < 0.1 ? number.toFixed(3) : number.toFixed(2));
const measured = (here) => (measure === "rank" ? String(here.rank) : digits(here[measure]));

// The visitor's settings: for the server, and for the address.
const positions = (is) => {
  const runs = [];
  for (let place = 0; place < is.length; place++) {
    if (!is[place]) continue;
    const last = runs.at(-1);
    if (last && last[1] === place - 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
};

function keep(asked = {}) {
  const k = rule.k === data.own.k ? 0 : rule.k, tensor = rule.tensor === data.own.tensor ? "" : rule.tensor;
  const { seed, masked } = { ...data.asked, ...asked };
  props.value = { k, tensor, seed, masked, of: data.of, wanted: asked.wanted ?? "" };
  lab.keep(["stage"], { k: k || "", tensor, seed: seed || "", masked });
}

// Drawing -----------------------------------------------------------------------------------------------------------

function draw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (!data || !element.isConnected || !part(".panels").clientWidth) return;
    const theme = getComputedStyle(element);
    const look = { ink: theme.color, ground: theme.getPropertyValue("--background-fill-secondary") || "#eee", font: theme.fontFamily };
    for (const name of ["student", "teacher", "prediction", "measure", "target"]) painters[data.kind](name, look);
    for (const tile of parts(".tile")) drawTile(tile, look);
    tellTexts();
    tellDetail(look);
    if (part("details.table").open) fillTable();
  });
}

// A canvas of its place's width, cleared, in CSS pixels.
function sheet(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// What the student does not see is striped, everywhere the same.
function hatch(context, x, y, width, height, look, cover = 1) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.globalAlpha = cover;
  context.fillStyle = look.ground;
  context.fillRect(x, y, width, height);
  context.fillStyle = look.ink;
  context.globalAlpha = 0.05;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 0.55;
  context.strokeStyle = look.ink;
  context.lineWidth = 1;
  context.beginPath();
  // where x + y is a multiple of 6, so that the stripes of neighbours meet
  for (let sum = Math.ceil((x + y) / 6) * 6; sum < x + width + y + height; sum += 6) {
    context.moveTo(sum - y, y);
    context.lineTo(sum - y - height, y + height);
  }
  context.stroke();
  context.restore();
}

function ring(context, x, y, width, height) {
  context.lineWidth = 4;
  context.strokeStyle = "#fff";
  context.strokeRect(x + 1, y + 1, width - 2, height - 2);
  context.lineWidth = 2;
  context.strokeStyle = "#111";
  context.strokeRect(x + 1, y + 1, width - 2, height - 2);
}
