// Draws a clip frame by frame: waveform, aligned words and letters, probability of every token. All lanes share one axis
// of time, of which `view` is the part that is seen, in frames. Texts come from Python, and none is read as markup.
const RAMP = [[0, 34, 78], [26, 56, 111], [67, 78, 108], [97, 101, 111], [125, 124, 120], [155, 148, 118], [188, 174, 108],
  [222, 201, 88], [254, 232, 56]]; // cividis, in eight steps
const PATH = "#d55e00", ALIGNED = "#56b4e9"; // Okabe and Ito's vermillion and sky blue
const GUTTER = 52, WAVE = 56, LANE = 20, GAP = 6, AXIS = 22, LEAST_FRAMES = 8;

const part = (selector) => element.querySelector(selector);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const colours = Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((one, k) => Math.round(one + (RAMP[low + 1][k] - one) * (at - low)));
});

let data = null, view = { from: 0, to: 1 }, cursor = null, scheduled = false;

function read() {
  const value = props.value;
  if (!value || !value.frames) { data = null; return; }
  const words = (text) => new Uint16Array(bytes(text).buffer);
  data = {
    ...value,
    levels: bytes(value.levels), wave: bytes(value.wave),
    path: words(value.path), best: words(value.best), shares: words(value.shares),
    whole: Math.max(value.frames, value.duration / value.secondsPerFrame),
    probability: Float32Array.from({ length: 256 }, (_, i) => (i ? Math.exp(value.floor * (1 - i / 255)) : 0)),
  };
  view = { from: 0, to: data.whole };
  cursor = null;
  part(".all-label").textContent = fill(data.phrases.all, { count: data.rows.length });
  part(".plot").setAttribute("aria-valuemax", data.frames - 1);
  tell();
  draw();
}

// What is seen -----------------------------------------------------------------------------------------------------

const shownRows = () => data.rows.map((_, i) => i).filter((i) => part(".all").checked || data.prominent[i]);

function layout() {
  const rows = shownRows(), height = rows.length > 48 ? 12 : 16, lanes = data.letters.length ? 2 * LANE + GAP : 0;
  const width = Math.max(part(".plot").clientWidth, GUTTER + 40), top = WAVE + GAP + lanes;
  return { rows, height, width, top, bottom: top + rows.length * height, area: width - GUTTER,
    x: (frame) => GUTTER + ((frame - view.from) / (view.to - view.from)) * (width - GUTTER) };
}

function draw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (!data || !part(".plot")?.clientWidth) return;
    const at = layout();
    const base = prepared(".base", at);
    const ink = getComputedStyle(element).color;
    base.font = "12px " + getComputedStyle(element).fontFamily;
    base.textBaseline = "middle";
    drawWave(base, at, ink);
    drawHeat(base, at, ink);
    drawPath(base, at);
    drawAligned(base, at, ink);
    drawAxis(base, at, ink);
    drawCursor(at, ink);
  });
}

function prepared(selector, at) {
  const canvas = part(selector), scale = window.devicePixelRatio || 1, height = at.bottom + AXIS;
  part(".plot").style.height = `${height}px`;
  canvas.style.width = `${at.width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(at.width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

function drawWave(context, at, ink) {
  const seconds = data.secondsPerFrame / data.waveStep, steps = data.wave.length / 2;
  context.fillStyle = ink;
  context.globalAlpha = 0.65;
  for (let x = 0; x < at.area; x++) {
    const first = Math.floor((view.from + ((view.to - view.from) * x) / at.area) * seconds);
    const last = Math.max(first + 1, Math.floor((view.from + ((view.to - view.from) * (x + 1)) / at.area) * seconds));
    let low = 255, high = 0;
    for (let i = first; i < Math.min(last, steps); i++) {
      low = Math.min(low, data.wave[2 * i]);
      high = Math.max(high, data.wave[2 * i + 1]);
    }
    if (high < low) continue;
    context.fillRect(GUTTER + x, WAVE * (1 - high / 255), 1, Math.max(1, (WAVE * (high - low)) / 255));
  }
  context.globalAlpha = 1;
}

function drawHeat(context, at, ink) {
  const scale = window.devicePixelRatio || 1, width = Math.round(at.area * scale);
  const image = new ImageData(width, at.rows.length), isLog = part(".log").checked;
  at.rows.forEach((row, y) => {
    for (let x = 0; x < width; x++) { // the greatest of the frames behind a pixel: a letter may last for one of them
      const first = Math.floor(view.from + ((view.to - view.from) * x) / width);
      const last = Math.max(first + 1, Math.floor(view.from + ((view.to - view.from) * (x + 1)) / width));
      if (first >= data.frames) continue;
      let level = 0;
      for (let frame = first; frame < Math.min(last, data.frames); frame++) {
        level = Math.max(level, data.levels[row * data.frames + frame]);
      }
      const colour = colours[isLog ? level : Math.round(255 * data.probability[level])];
      image.data.set([...colour, 255], 4 * (y * width + x));
    }
  });
  const layer = document.createElement("canvas");
  layer.width = width;
  layer.height = at.rows.length;
  layer.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, GUTTER, at.top, at.area, at.bottom - at.top);
  context.fillStyle = ink;
  context.textAlign = "right";
  at.rows.forEach((row, y) => {
    context.fillText(data.names[data.rows[row]], GUTTER - 6, at.top + (y + 0.5) * at.height, GUTTER - 8);
  });
}

const placeOf = (at) => new Map(at.rows.map((row, y) => [data.rows[row], at.top + y * at.height]));

function inside(context, at, paint) {
  context.save();
  context.beginPath();
  context.rect(GUTTER, 0, at.area, at.bottom);
  context.clip();
  paint();
  context.restore();
}

function drawPath(context, at) {
  const place = placeOf(at), last = Math.min(Math.ceil(view.to), data.frames);
  inside(context, at, () => {
    const cells = new Path2D(), ways = new Path2D();
    let before = null;
    for (let frame = Math.max(0, Math.floor(view.from)); frame < last;) {
      let end = frame + 1;
      while (end < last && data.path[end] === data.path[frame]) end++;
      const y = place.get(data.path[frame]), left = at.x(frame);
      if (y !== undefined) {
        cells.rect(left + 0.75, y + 0.75, Math.max(at.x(end) - left - 1.5, 0.5), at.height - 1.5);
        if (before !== null) {
          ways.moveTo(left, before + at.height / 2 < y ? before + at.height : before);
          ways.lineTo(left, before < y ? y : y + at.height);
        }
      }
      before = y ?? null;
      frame = end;
    }
    context.strokeStyle = PATH;
    context.lineWidth = 0.75;
    context.stroke(ways);
    context.lineWidth = 1.5;
    context.stroke(cells);
  });
}

function drawAligned(context, at, ink) {
  const place = placeOf(at), words = WAVE + GAP, letters = words + LANE;
  inside(context, at, () => {
    context.textAlign = "center";
    for (const word of data.words) {
      const left = at.x(word.first), width = Math.max(at.x(word.last) - left, 2);
      context.fillStyle = ALIGNED;
      context.globalAlpha = 0.35;
      context.fillRect(left, words, width, LANE - 2);
      context.globalAlpha = 1;
      context.fillStyle = ink;
      if (context.measureText(word.text).width + 2 <= width) context.fillText(word.text, left + width / 2, words + LANE / 2 - 1);
    }
    let free = -Infinity;
    for (const letter of data.letters) {
      const left = at.x(letter.first), width = Math.max(at.x(letter.last) - left, 1.5), y = place.get(letter.row);
      context.fillStyle = ALIGNED;
      context.fillRect(left, letters, width, 3);
      if (y !== undefined && width < 8) { // too narrow for a frame
        context.fillRect(left, y + at.height - 3, width, 2);
      } else if (y !== undefined) {
        context.strokeStyle = ALIGNED;
        context.lineWidth = 1.5;
        context.setLineDash([3, 2]);
        context.strokeRect(left + 2.75, y + 2.75, width - 5.5, at.height - 5.5);
        context.setLineDash([]);
      }
      const text = letter.word ? letter.text : "␣", room = context.measureText(text).width, middle = left + width / 2;
      if (middle - room / 2 > free) {
        context.fillStyle = ink;
        context.fillText(text, middle, letters + 12);
        free = middle + room / 2 + 1;
      }
    }
  });
}

function drawAxis(context, at, ink) {
  const seconds = (view.to - view.from) * data.secondsPerFrame, most = at.area / 64;
  const step = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900].find((one) => seconds / one <= most) ?? 3600;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  context.fillStyle = ink;
  context.textAlign = "center";
  const from = view.from * data.secondsPerFrame;
  for (let i = Math.ceil(from / step - 1e-9); i * step <= from + seconds + 1e-9; i++) {
    const x = at.x((i * step) / data.secondsPerFrame), text = i * step ? (i * step).toFixed(digits) : "0 s";
    context.fillRect(x, at.bottom, 1, 4);
    const room = context.measureText(text).width / 2;
    context.fillText(text, clamp(x, GUTTER + room, at.width - room), at.bottom + 13);
  }
}

function drawCursor(at = layout(), ink = getComputedStyle(element).color) {
  const context = prepared(".over", at);
  if (cursor === null) return;
  const left = at.x(cursor), width = Math.max(at.x(cursor + 1) - left, 1);
  inside(context, at, () => {
    context.fillStyle = ink;
    context.globalAlpha = 0.12;
    context.fillRect(left, 0, width, at.top);
    context.globalAlpha = 1;
    for (const [colour, wide] of [["black", 3], ["white", 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.strokeRect(left - 0.5, at.top, width + 1, at.bottom - at.top);
    }
  });
}

// What is told -----------------------------------------------------------------------------------------------------

const clock = (frame) => fill(data.phrases.seconds, { number: (frame * data.secondsPerFrame).toFixed(2) });

function share(value) {
  const percent = (100 * value) / 65535;
  const number = percent < 0.1 ? "< 0.1" : percent < 1 ? percent.toFixed(1) : Math.round(percent);
  return fill(data.phrases.percent, { number });
}

function tell() {
  const line = part(".told"), plot = part(".plot");
  part(".ramp-end").textContent = part(".log").checked ? `≤ e${superscript(data.floor)}` : "0";
  if (cursor === null) {
    line.textContent = data.phrases.start;
    plot.setAttribute("aria-valuetext", clock(0));
    return;
  }
  const count = data.best.length / data.frames, first = cursor * count;
  const named = Array.from({ length: count }, (_, i) => `${data.names[data.best[first + i]]} ${share(data.shares[first + i])}`);
  const letter = data.letters.find((one) => one.first <= cursor && cursor < one.last);
  const time = fill(data.phrases.time, { time: clock(cursor), frame: cursor });
  const spelled = letter?.word ? fill(data.phrases.letter, { letter: letter.text, word: letter.word }) : "";
  line.textContent = [time, named.join(", "), spelled].filter(Boolean).join(" · ");
  plot.setAttribute("aria-valuenow", cursor);
  plot.setAttribute("aria-valuetext", clock(cursor));
}

const superscript = (number) => String(number).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

function point(frame) {
  const next = clamp(Math.floor(frame), 0, data.frames - 1);
  if (next === cursor) return;
  cursor = next;
  tell();
  drawCursor();
}

// How one moves ------------------------------------------------------------------------------------------------------

function look(from, length) {
  const seen = clamp(length, Math.min(LEAST_FRAMES, data.whole), data.whole);
  const start = clamp(from, 0, data.whole - seen);
  view = { from: start, to: start + seen };
  draw();
}

function zoom(factor, about = null) {
  const length = view.to - view.from, isSeen = cursor !== null && cursor >= view.from && cursor < view.to;
  const middle = about ?? (isSeen ? cursor + 0.5 : view.from + length / 2);
  const next = clamp(length * factor, Math.min(LEAST_FRAMES, data.whole), data.whole);
  look(middle - ((middle - view.from) / length) * next, next);
}

const pan = (part) => look(view.from + part * (view.to - view.from), view.to - view.from);

function step(frames) {
  point(cursor === null ? view.from : cursor + frames);
  const length = view.to - view.from, margin = Math.min(2, length / 8);
  if (cursor < view.from + margin) look(cursor - margin, length);
  else if (cursor + 1 > view.to - margin) look(cursor + 1 + margin - length, length);
}

const KEYS = {
  "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), "_": () => zoom(1.5),
  0: () => look(0, data.whole),
  ArrowLeft: (far) => step(far ? -10 : -1), ArrowRight: (far) => step(far ? 10 : 1),
  PageUp: () => pan(-0.9), PageDown: () => pan(0.9),
  Home: () => step(-data.frames), End: () => step(data.frames),
};
const BUTTONS = {
  in: () => zoom(1 / 2), out: () => zoom(2), back: () => pan(-0.25), on: () => pan(0.25), whole: () => look(0, data.whole),
};

const frameAt = (event) => {
  const at = layout(), left = part(".plot").getBoundingClientRect().left;
  return view.from + ((event.clientX - left - GUTTER) / at.area) * (view.to - view.from);
};
const isOnPlot = (event) => data && event.target.closest?.(".plot");

element.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-do]")?.dataset.do;
  if (data && BUTTONS[name]) BUTTONS[name]();
});
element.addEventListener("change", () => { if (data) { tell(); draw(); } });
element.addEventListener("keydown", (event) => {
  if (!isOnPlot(event) || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event.shiftKey);
});

// A wheel that is turned to scroll the page goes on doing so when the picture comes under it.
let scrolledAt = -Infinity;
const onScroll = () => { scrolledAt = performance.now(); };
element.addEventListener("wheel", (event) => {
  if (!isOnPlot(event)) return;
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan(event.deltaX / layout().area);
    return;
  }
  const isWhole = view.to - view.from >= data.whole - 1e-6;
  if (!event.ctrlKey && (performance.now() - scrolledAt < 400 || (isWhole && event.deltaY > 0))) return;
  event.preventDefault();
  zoom(Math.exp(clamp(event.deltaY, -100, 100) / 300), frameAt(event));
}, { passive: false });

const fingers = new Map();
let grip = null;
element.addEventListener("pointerdown", (event) => {
  if (!isOnPlot(event) || event.button) return;
  fingers.set(event.pointerId, event.clientX);
  grip = { x: event.clientX, from: view.from, hasMoved: fingers.size > 1 };
  part(".plot").setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", (event) => {
  if (!isOnPlot(event)) return;
  if (!fingers.has(event.pointerId)) { point(frameAt(event)); return; }
  const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
  const before = fingers.get(event.pointerId);
  fingers.set(event.pointerId, event.clientX);
  if (others.length) { // two fingers
    const apart = Math.max(Math.abs(before - others[0]), 8), now = Math.max(Math.abs(event.clientX - others[0]), 8);
    zoom(apart / now, frameAt({ clientX: (event.clientX + others[0]) / 2 }));
  } else if (grip && (grip.hasMoved || Math.abs(event.clientX - grip.x) > 4)) {
    grip.hasMoved = true;
    look(grip.from - ((event.clientX - grip.x) / layout().area) * (view.to - view.from), view.to - view.from);
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  element.addEventListener(name, (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (name === "pointerup" && grip && !grip.hasMoved) point(frameAt(event));
    grip = null;
  });
}

window.addEventListener("scroll", onScroll, { passive: true });
const size = new ResizeObserver(() => draw());
size.observe(element);
const theme = new MutationObserver(() => {
  if (element.isConnected) { draw(); return; }
  theme.disconnect(); // the picture is gone, and with it what it listens to
  size.disconnect();
  window.removeEventListener("scroll", onScroll);
});
theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", read);
read();
