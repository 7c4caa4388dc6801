// The two pictures of a replay at one moment: the map of points, and a row of attention over a photograph. Stands before
// replay.js, whose state it reads.
const CLASSES = ["#e69f00", "#0072b2", "#009e73", "#cc79a7", "#d55e00"], SHAPES = 2; // five colours of two shapes
const HEAT = [213, 94, 0];

const squareOf = (canvas) => Math.max(Math.min(canvas.parentElement.clientWidth, 380), 80);

function mark(context, x, y, size, kind) {
  context.fillStyle = CLASSES[kind % CLASSES.length];
  context.beginPath();
  if (Math.floor(kind / CLASSES.length) % SHAPES) {
    context.moveTo(x, y - 1.2 * size);
    context.lineTo(x + 1.1 * size, y + 0.8 * size);
    context.lineTo(x - 1.1 * size, y + 0.8 * size);
  } else {
    context.arc(x, y, size, 0, 2 * Math.PI);
  }
  context.fill();
}

const reachOf = (recording) =>
  (part(".same input").checked && shown[1] ? Math.max(...recordings().map((one) => one.reach)) : recording.reach) * 1.06;

// Where every point is, between two moments where the replay is on its way: (items, 2) in the unit of the vectors.
function placesOf(recording) {
  const at = recording === main() ? drawnAt : momentOf(recording, drawnAt), size = 2 * recording.labels.length;
  const from = Math.floor(at), to = Math.min(from + 1, recording.steps.length - 1), share = at - from;
  return Float32Array.from({ length: size }, (_, i) => {
    const first = recording.positions[from * size + i], next = recording.positions[to * size + i];
    return ((first + (next - first) * share - 32768) / 32767) * recording.reach;
  });
}

function drawMap(canvas, recording, look) {
  const side = squareOf(canvas), context = sized(canvas, side, side), reach = reachOf(recording);
  const x = (value) => (side / 2) * (1 + value / reach), y = (value) => (side / 2) * (1 - value / reach);
  context.strokeStyle = look.ink;
  context.globalAlpha = 0.25;
  context.strokeRect(0.5, 0.5, side - 1, side - 1);
  context.globalAlpha = 0.1;
  for (const [a, b, c, d] of [[side / 2, 0, side / 2, side], [0, side / 2, side, side / 2]]) {
    context.beginPath();
    context.moveTo(a, b);
    context.lineTo(c, d);
    context.stroke();
  }
  const places = placesOf(recording), emphasised = pointed?.recording === recording ? recording.labels[pointed.item] : chosenClass;
  recording.drawn = recording.labels.map((_, i) => [x(places[2 * i]), y(places[2 * i + 1])]);
  const size = clamp(side / 85, 2.6, 4.2);
  const order = recording.labels.map((_, i) => i);
  order.sort((a, b) => (recording.labels[a] === emphasised) - (recording.labels[b] === emphasised));
  for (const i of order) {
    const isFaint = emphasised !== null && recording.labels[i] !== emphasised;
    context.globalAlpha = isFaint ? 0.16 : 0.85;
    mark(context, ...recording.drawn[i], size, recording.labels[i]);
  }
  context.globalAlpha = 1;
  if (pointed?.recording === recording) {
    context.strokeStyle = look.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(...recording.drawn[pointed.item], size + 3, 0, 2 * Math.PI);
    context.stroke();
  }
  drawScale(context, side, reach, look);
}

// How long a round number is: the axes stay as they are for the whole run.
function drawScale(context, side, reach, look) {
  const unit = 10 ** Math.floor(Math.log10(reach / 2)), length = [5, 2, 1].map((one) => one * unit).find((one) => one <= reach / 2);
  const width = (length / reach) * (side / 2);
  context.fillStyle = look.ink;
  context.font = look.font;
  context.fillRect(10, side - 11, width, 1.5);
  context.fillRect(10, side - 14, 1.5, 7);
  context.fillRect(10 + width, side - 14, 1.5, 7);
  context.fillText(String(Number(length.toPrecision(1))), 16 + width, side - 6);
}

// Probabilities of one row: (keys,), the class token first.
function rowOf(recording, at = momentOf(recording)) {
  const places = 1 + recording.grid[0] * recording.grid[1], row = (at * recording.heads + head) * places + query;
  const peak = recording.peaks[row] / 65535 / 255;
  return Array.from({ length: places }, (_, key) => recording.attention[row * places + key] * peak);
}

// The most that a patch gets in any moment of what is shown: one colour scale for the whole run, and for both.
function mostOf() {
  let most = 0;
  for (const recording of recordings()) {
    for (let at = 0; at < recording.steps.length; at++) {
      const row = rowOf(recording, at);
      for (let key = 1; key < row.length; key++) most = Math.max(most, row[key]);
    }
  }
  return most || 1;
}

function drawAttention(canvas, recording, most) {
  const side = squareOf(canvas), context = sized(canvas, side, side), [rows, columns] = recording.grid;
  const row = rowOf(recording), wide = side / columns, high = side / rows;
  if (recording.image.complete) {
    context.filter = "grayscale(1) contrast(.8)";
    context.drawImage(recording.image, 0, 0, side, side);
    context.filter = "none";
  }
  for (let patch = 0; patch < rows * columns; patch++) {
    const x = (patch % columns) * wide, y = Math.floor(patch / columns) * high;
    context.fillStyle = `rgb(${HEAT.join(" ")} / ${0.92 * Math.sqrt(row[patch + 1] / most)})`;
    context.fillRect(x, y, wide, high);
  }
  context.strokeStyle = "rgb(255 255 255 / .25)";
  context.lineWidth = 1;
  for (let i = 1; i < rows; i++) context.strokeRect(-1, i * high, side + 2, 0);
  for (let i = 1; i < columns; i++) context.strokeRect(i * wide, -1, 0, side + 2);
  if (query > 0) {
    const x = ((query - 1) % columns) * wide, y = Math.floor((query - 1) / columns) * high;
    for (const [colour, width, gap] of [["black", 4, 2], ["white", 2, 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x + gap, y + gap, wide - 2 * gap, high - 2 * gap);
    }
  } else {
    for (const [colour, width] of [["black", 6], ["white", 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(1.5, 1.5, side - 3, side - 3);
    }
  }
  canvas.setAttribute("aria-valuenow", query);
  canvas.setAttribute("aria-valuetext", placeName(recording, query));
}
