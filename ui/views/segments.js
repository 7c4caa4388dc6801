// A segmented picture: photo and class ids are composed here, so that no change of the view asks the model again.
// props.value: JSON of ui/views/segments.py. The rules of drawing are those of analysis/figures/overlay.py.
const FADED = 0.65, STRIP = 10;
const plain = { opacity: 50, mode: "both", palette: "okabe-ito" };
let look = { ...plain, ...window.segmentsLook };
let scene = null, bare = null, composed = null, shown = "", ids = null, borders = null, luts = {};
let only = null, split = 0, cursor = null, frame = 0, drawing = 0;

const find = (selector) => element.querySelector(selector);
const say = (name, values = {}) => scene.words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const classOf = (id) => scene.classes.find((one) => one.id === id);
const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
const told = (one) => say("one_class", { name: one.name, share: one.share });

async function start() {
  const turn = ++drawing;
  let given = null;
  try { given = JSON.parse(props.value || "null"); } catch { given = null; }
  if (!given) return;
  const packed = Uint8Array.from(atob(given.ids), (letter) => letter.charCodeAt(0));
  const [bytes, image] = await Promise.all([
    new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer(),
    loaded(given.photo),
  ]);
  if (turn !== drawing) return;  // another picture has come meanwhile
  scene = given;
  ids = new Uint8Array(bytes);
  only = window.segmentsOnly = null; split = 0; cursor = null; luts = {};
  const canvas = find("canvas");
  canvas.width = scene.width;
  canvas.height = scene.height;
  const aspect = scene.width / scene.height, stage = find(".stage");  // strips are scrolled, so that they can be seen
  stage.style.maxWidth = aspect > STRIP ? "none" : `${Math.round(Math.max(560 * aspect, 64))}px`;
  stage.style.width = aspect > STRIP ? `${Math.round(64 * aspect)}px` : "";
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, scene.width, scene.height);
  bare = context.getImageData(0, 0, scene.width, scene.height);
  composed = new ImageData(scene.width, scene.height);
  shown = "";
  borders = distances(ids, scene.width, scene.height);
  write();
  announce(say("hint"));
  show();
  find(".segments").dataset.ready = "true";
}

function loaded(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = address;
  });
}

// Chessboard distance of every pixel to the next border of its region, 0 on the border itself.
function distances(map, width, height) {
  const far = new Uint8Array(map.length).fill(255);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width && map[i] !== map[i + 1]) far[i] = far[i + 1] = 0;
      if (y + 1 < height && map[i] !== map[i + width]) far[i] = far[i + width] = 0;
    }
  }
  const nearer = (i, other) => { if (far[other] + 1 < far[i]) far[i] = far[other] + 1; };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (x) nearer(i, i - 1);
      if (y) {
        nearer(i, i - width);
        if (x) nearer(i, i - width - 1);
        if (x + 1 < width) nearer(i, i - width + 1);
      }
    }
  }
  for (let y = height - 1, i = map.length - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--, i--) {
      if (x + 1 < width) nearer(i, i + 1);
      if (y + 1 < height) {
        nearer(i, i + width);
        if (x) nearer(i, i + width - 1);
        if (x + 1 < width) nearer(i, i + width + 1);
      }
    }
  }
  return far;
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function isInk(hatch, x, y, unit) {
  const period = 6 * unit;
  const rising = (x + y) % period < unit, falling = (((y - x) % period) + period) % period < unit;
  switch (hatch) {
    case "/": return rising;
    case "\\": return falling;
    case "-": return y % period < unit;
    case "|": return x % period < unit;
    case "x": return rising || falling;
    case "+": return x % period < unit || y % period < unit;
    case ".": return x % period < 2 * unit && y % period < 2 * unit;
    default: return false;
  }
}

// By class id: colour, ink, and the tile of its hatch.
function table() {
  const unit = Math.max(1, Math.round(Math.max(scene.width, scene.height) / 250)), period = 6 * unit;
  return (luts[look.palette] ??= Object.fromEntries(scene.palettes[look.palette].map((one) => {
    const tile = one.hatch && Uint8Array.from(
      { length: period * period }, (_, i) => isInk(one.hatch, i % period, Math.floor(i / period), unit));
    return [one.id, { colour: one.colour && rgb(one.colour), ink: one.colour && rgb(one.ink), tile, unit, period }];
  })));
}

// All of the picture with its classes, as the view stands.
function compose() {
  const { width, height } = scene, styles = table(), out = composed.data;
  const unit = Math.max(1, Math.round(Math.max(width, height) / 250)), period = 6 * unit;
  const outer = look.mode === "fill" ? 0 : unit, inner = unit + Math.ceil(unit / 2);
  const isContour = look.mode === "contour", strength = look.opacity / 100;
  const paints = new Uint8Array(3 * 256), inks = new Uint8Array(3 * 256), has = new Uint8Array(256), tiles = Array(256).fill(null);
  for (const [id, style] of Object.entries(styles)) {
    if (!style.colour || (only !== null && Number(id) !== only)) continue;
    has[id] = 1;
    tiles[id] = style.tile;
    paints.set(style.colour, 3 * id);
    inks.set(style.ink, 3 * id);
  }
  for (let y = 0, i = 0, p = 0; y < height; y++) {
    const row = (y % period) * period;
    for (let x = 0; x < width; x++, i++, p += 4) {
      const id = ids[i];
      let r = bare.data[p], g = bare.data[p + 1], b = bare.data[p + 2];
      if (only !== null && id !== only) {
        const grey = 0.299 * r + 0.587 * g + 0.114 * b;
        r = g = b = grey + FADED * (128 - grey);
      } else if (has[id]) {
        const isLine = borders[i] < outer, tile = tiles[id];
        const isHatched = tile !== null && tile[row + (x % period)] === 1;
        const alpha = isContour ? Number(borders[i] < inner) : isLine ? 1 : strength;
        const colours = (isContour ? !isLine || isHatched : !isLine && isHatched) ? inks : paints;
        r += alpha * (colours[3 * id] - r);
        g += alpha * (colours[3 * id + 1] - g);
        b += alpha * (colours[3 * id + 2] - b);
      }
      out[p] = r;
      out[p + 1] = g;
      out[p + 2] = b;
      out[p + 3] = 255;
    }
  }
}

function draw() {
  frame = 0;
  const { width, height } = scene, edge = Math.round(width * split / 100);
  const view = `${look.mode} ${look.opacity} ${look.palette} ${only}`;
  if (view !== shown) compose();
  shown = view;
  const context = find("canvas").getContext("2d");
  if (edge < width) context.putImageData(composed, 0, 0, edge, 0, width - edge, height);
  if (edge > 0) context.putImageData(bare, 0, 0, 0, 0, edge, height);
}

// Everything that has words, once a picture.
function write() {
  find("canvas").setAttribute("aria-label", `${scene.alt} ${say("keys")}`);
  for (const place of element.querySelectorAll("[data-word]")) place.textContent = say(place.dataset.word);
  find(".split input").setAttribute("aria-label", say("split"));
  find(".legend").replaceChildren(...scene.classes.map((one) => {
    const row = document.createElement("li"), button = make("button", "");
    button.type = "button";
    button.dataset.id = one.id;
    const track = make("span", "track"), fill = make("span", "fill"), swatch = make("span", "swatch");
    fill.style.width = `${100 * one.fraction}%`;
    track.append(fill);
    button.append(swatch, make("span", "name", one.name), make("span", "value", one.share), track);
    row.append(button);
    return row;
  }));
}

// Whatever changes with the view.
function show() {
  const styles = table();
  for (const button of element.querySelectorAll(".legend button")) {
    const id = Number(button.dataset.id), style = styles[id], swatch = button.querySelector(".swatch");
    const colour = style?.colour ? `rgb(${style.colour})` : "";
    button.setAttribute("aria-pressed", String(only === id));
    swatch.className = `swatch ${colour ? "solid" : "hollow"}`;
    swatch.style.background = colour && style.tile ? `${hatched(style)}` : colour;
    button.querySelector(".fill").style.background = colour;
  }
  find(".all").hidden = only === null;
  find(".split input").value = split;
  find(".split input").setAttribute("aria-valuetext", say("split_value", { percent: split }));
  const divider = find(".divider");
  divider.hidden = split === 0 || split === 100;
  divider.style.left = `${split}%`;
  const mark = find(".cursor");
  mark.hidden = cursor === null;
  if (cursor) {
    mark.style.left = `${100 * (cursor.x + 0.5) / scene.width}%`;
    mark.style.top = `${100 * (cursor.y + 0.5) / scene.height}%`;
  }
  frame ||= requestAnimationFrame(draw);
}

// A tile of colour and hatch as CSS takes it, six pixels wide.
function hatched(style) {
  const tile = document.createElement("canvas"), size = 6;
  tile.width = tile.height = size;
  const context = tile.getContext("2d");
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      context.fillStyle = `rgb(${style.tile[y * style.unit * style.period + x * style.unit] ? style.ink : style.colour})`;
      context.fillRect(x, y, 1, 1);
    }
  }
  return `url(${tile.toDataURL()})`;
}

function announce(text) {
  find(".said").textContent = text;
}

function isolate(id) {
  only = window.segmentsOnly = only === id ? null : id;
  announce(only === null ? say("all_shown") : say("only_shown", { name: classOf(only).name, share: classOf(only).share }));
  show();
}

function under(event) {
  const box = find("canvas").getBoundingClientRect();
  const at = (where, start, length, count) => Math.min(count - 1, Math.max(0, Math.floor((where - start) / length * count)));
  return { x: at(event.clientX, box.left, box.width, scene.width), y: at(event.clientY, box.top, box.height, scene.height) };
}

const idAt = ({ x, y }) => ids[y * scene.width + x];

element.addEventListener("input", ({ target }) => {
  if (!scene || !target.closest(".split")) return;
  split = Number(target.value);
  show();
});

function restyle() {
  if (!element.isConnected) window.removeEventListener("segments-look", restyle);
  else {
    look = { ...plain, ...window.segmentsLook };
    if (scene) show();
  }
}
window.addEventListener("segments-look", restyle);

element.addEventListener("click", (event) => {
  if (!scene) return;
  const row = event.target.closest(".legend button");
  if (row) isolate(Number(row.dataset.id));
  else if (event.target.closest(".all")) isolate(only);
  else if (event.target.closest("canvas")) isolate(idAt(under(event)));
});

element.addEventListener("pointermove", (event) => {
  if (!scene) return;
  if (event.target.closest("canvas") && event.pointerType === "mouse") {
    const one = classOf(idAt(under(event)));
    find("canvas").title = one ? told(one) : "";
  }
  if (event.target.closest(".divider") && event.buttons) {
    split = Math.round(100 * under(event).x / Math.max(1, scene.width - 1));
    split = Math.min(99, Math.max(1, split));  // a divider that is gone could not be pulled back
    show();
  }
});

element.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".divider")) event.target.closest(".divider").setPointerCapture(event.pointerId);
});

element.addEventListener("keydown", (event) => {
  if (!scene) return;
  if (event.key === "Escape" && only !== null) {
    isolate(only);
    return;
  }
  if (!event.target.closest("canvas")) return;
  const step = Math.max(1, Math.round(Math.max(scene.width, scene.height) / (event.shiftKey ? 200 : 40)));
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  if (dx || dy) {
    cursor ??= { x: Math.floor(scene.width / 2), y: Math.floor(scene.height / 2) };
    cursor = {
      x: Math.min(scene.width - 1, Math.max(0, cursor.x + dx * step)),
      y: Math.min(scene.height - 1, Math.max(0, cursor.y + dy * step)),
    };
    const one = classOf(idAt(cursor));
    announce(one ? told(one) : "");
    show();
  } else if (event.key === "Enter" || event.key === " ") {
    cursor ??= { x: Math.floor(scene.width / 2), y: Math.floor(scene.height / 2) };
    isolate(idAt(cursor));
  } else return;
  event.preventDefault();
});

watch("value", start);
start();
