// What the replay and the live training share: it stands before either script. Texts come from Python, and none is read
// as markup.
const STUDENT = "#0072b2", TEACHER = "#d55e00", TARGET = "#009e73"; // Okabe and Ito's, in every figure of the method
const LAYERS = [[23, 113, 184], [105, 122, 140], [178, 124, 18]]; // from the first layer to the last
const LEFT = 34, RIGHT = 12, TOP = 6, BOTTOM = 20, HEIGHT = 128, NAMES = 16; // of a curve, in pixels

let phrases = {};

const part = (selector, within = element) => within.querySelector(selector);
const parts = (selector, within = element) => [...within.querySelectorAll(selector)];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const finite = (values) => values.filter((value) => value !== null);

const plain = (value) => (value === null ? "–" : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(Math.abs(value) < 0.1 && value ? 3 : 2));
const tauText = (value) => (value === null ? "–" : String(Number(value.toFixed(4))));
const percent = (value) => (value === null ? "–" : fill(phrases.percent, { number: value > 0 && value < 0.01 ? (100 * value).toFixed(1) : Math.round(100 * value) }));

// The least and the greatest of values of which some may be undefined.
function fromTo(values) {
  const known = finite(values);
  return known.length ? `${plain(Math.min(...known))} – ${plain(Math.max(...known))}` : "–";
}

function sized(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

function lookOf() {
  const style = getComputedStyle(element);
  return { ink: style.color, font: `12px ${style.fontFamily}` };
}

const ramp = (index, count) => {
  const at = count > 1 ? (index / (count - 1)) * (LAYERS.length - 1) : 0, low = Math.min(Math.floor(at), LAYERS.length - 2);
  return `rgb(${LAYERS[low].map((one, k) => Math.round(one + (LAYERS[low + 1][k] - one) * (at - low)))})`;
};

function ticks(low, high) {
  const rough = (high - low) / 3, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * unit).find((one) => one >= rough * 0.99);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++) found.push(i * step);
  return found;
}

// A line above its own axis of steps: low, high; end, the last step; isRoot, whether steps are drawn by their root;
// lines: [{steps, values, colour, isDashed, isFaint, at}], at being the place of its dot; cursor, a step, or null;
// chance; names: [{name, colour, value}] at the right end, one below the other where they would meet.
function drawPlot(canvas, plot, look) {
  const width = Math.max(canvas.parentElement.clientWidth, 120), context = sized(canvas, width, HEIGHT);
  const { low, high } = plot, end = Math.max(plot.end, 1), area = width - LEFT - RIGHT - (plot.names ? NAMES : 0);
  const tall = HEIGHT - TOP - BOTTOM, bend = plot.isRoot ? Math.sqrt : (value) => value;
  const x = (step) => LEFT + (bend(step) / bend(end)) * area;
  const y = (value) => TOP + tall * (1 - (clamp(value, low, high) - low) / (high - low));
  context.font = look.font;
  context.fillStyle = context.strokeStyle = look.ink;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const value of ticks(low, high)) {
    context.globalAlpha = 0.15;
    context.fillRect(LEFT, Math.round(y(value)), area, 1);
    context.globalAlpha = 0.8;
    context.fillText(plot.isShare ? percent(value) : String(Number(value.toPrecision(3))), LEFT - 5, y(value));
  }
  context.textAlign = "center";
  for (const step of [0, 1, 2, 3, 4].map((i) => Math.round(end * (plot.isRoot ? (i / 4) ** 2 : i / 4)))) {
    context.fillRect(x(step), HEIGHT - BOTTOM, 1, 4);
    context.fillText(String(step), Math.min(x(step), width - 14), HEIGHT - 8);
  }
  if (plot.chance !== undefined) {
    context.globalAlpha = 0.7;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(LEFT, y(plot.chance));
    context.lineTo(LEFT + area, y(plot.chance));
    context.stroke();
    context.textAlign = "left";
    context.fillText(phrases.chance, LEFT + 4, y(plot.chance) - 8);
  }
  for (const line of plot.lines) {
    context.globalAlpha = line.isFaint ? 0.55 : 1;
    context.setLineDash(line.isDashed ? [5, 3] : []);
    context.strokeStyle = line.colour;
    context.lineWidth = 1.8;
    context.beginPath();
    let isDown = false;
    line.values.forEach((value, at) => {
      if (value !== null) context[isDown ? "lineTo" : "moveTo"](x(line.steps[at]), y(value));
      isDown = value !== null;
    });
    context.stroke();
    context.setLineDash([]);
    const value = line.values[line.at];
    if (value === undefined || value === null) continue;
    context.fillStyle = line.colour;
    context.beginPath();
    context.arc(x(line.steps[line.at]), y(value), 3.2, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  if (plot.names) nameLines(context, plot.names, width - NAMES + 3, y, look);
  if (plot.cursor === null || plot.cursor === undefined) return;
  context.fillStyle = look.ink;
  context.globalAlpha = 0.45;
  context.fillRect(x(plot.cursor) - 0.5, TOP, 1, tall);
  context.globalAlpha = 1;
}

function nameLines(context, names, x, y, look) {
  const ends = names.map(({ name, colour, value }) => ({ name, colour, at: y(value) }));
  ends.sort((a, b) => a.at - b.at || Number(a.name) - Number(b.name));
  for (const [i, one] of ends.entries()) one.at = Math.max(one.at, i ? ends[i - 1].at + 11 : TOP + 4);
  const over = Math.max(0, (ends.at(-1)?.at ?? 0) - (HEIGHT - BOTTOM - 2));
  context.textAlign = "left";
  for (const one of ends) {
    context.fillStyle = one.colour;
    context.fillRect(x, one.at - over - 4, 3, 8);
    context.fillStyle = look.ink;
    context.fillText(one.name, x + 5, one.at - over);
  }
}

// A figure of its own for a curve: title, numbers of the moment, canvas.
function plotFigure(title) {
  const figure = made("figure"), caption = made("figcaption"), canvas = made("canvas");
  caption.append(made("span", "name", title), made("span", "value"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", title);
  figure.append(caption, canvas);
  return figure;
}

function keyEntry(colour, kind, text) {
  const place = made("span"), sign = made("i");
  sign.style.borderTop = `2.5px ${kind} ${colour}`;
  place.append(sign, made("span", "", text));
  return place;
}

const methodKey = () => [
  keyEntry(STUDENT, "solid", phrases.student_key), keyEntry(TEACHER, "solid", phrases.teacher),
  keyEntry(TARGET, "solid", phrases.target),
];

// What heads a column of numbers in a table.
function columnName(column) {
  const number = column.match(/\d+$/)?.[0], role = column.match(/(student|teacher)$/)?.[0];
  const named = (name, kind) => `${phrases[name]}, ${fill(phrases[kind], { number })}`;
  if (column.startsWith("cka")) return named("cka", "layer");
  if (column.startsWith("distance")) return named("distance", "block");
  if (role) return `${phrases[column.startsWith("knn") ? "knn" : "rank"]}, ${phrases[role]}`;
  if (column.endsWith("spread")) return `${phrases.spread}, ${phrases[column.replace("_spread", "")]}`;
  return phrases[column === "step" ? "steps" : column];
}

// Calls draw when the size or the theme changes, until the component is gone.
function redrawn(draw) {
  const size = new ResizeObserver(() => draw());
  size.observe(element);
  const theme = new MutationObserver(() => {
    if (element.isConnected) { draw(); return; }
    theme.disconnect();
    size.disconnect();
  });
  theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

function offer(content, file) {
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
