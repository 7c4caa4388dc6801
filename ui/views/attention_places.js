// One row of attention on what was read: patches of a photo, frames of a sound, tokens of a text. `at` holds the row, the
// chosen places, the limit of the colours and what else a drawing needs; each returns where a point of the canvas is.

const drawPlace = (at) => ({ vision: drawPhoto, audio: drawSound, text: drawTokens })[at.data.modality](at);

// Photo ----------------------------------------------------------------------------------------------------------------

function patchBoxes(at, width, height) {
  const { grid: [rows, columns], photo: { size, box } } = at.data;
  const x = width / size[0], y = height / size[1];
  const wide = ((box[2] - box[0]) * x) / columns, high = ((box[3] - box[1]) * y) / rows;
  return { left: box[0] * x, top: box[1] * y, wide, high, rows, columns };
}

function greyPhoto(context, image, width, height) {
  context.fillStyle = "#888";
  context.fillRect(0, 0, width, height);
  if (!image?.complete || !image.naturalWidth) return;
  context.filter = "grayscale(1) brightness(1.12)";
  context.drawImage(image, 0, 0, width, height);
  context.filter = "none";
}

function photoWeights(context, at, boxes, row, limit) {
  for (let k = 0; k < boxes.rows * boxes.columns; k++) {
    const weight = row[at.data.classTokens + k], [red, green, blue] = colourOf(weight, limit, at.signed);
    // little covers little, so that the photo is seen
    const cover = at.signed ? 0.25 + 0.5 * clamp(Math.abs(weight) / limit, 0, 1) : 0.42 + 0.33 * Math.sqrt(clamp(weight / limit, 0, 1));
    context.fillStyle = `rgba(${red}, ${green}, ${blue}, ${cover})`;
    const x = boxes.left + (k % boxes.columns) * boxes.wide, y = boxes.top + Math.floor(k / boxes.columns) * boxes.high;
    context.fillRect(x, y, boxes.wide, boxes.high);
  }
}

function drawPhoto(at) {
  const { size } = at.data.photo;
  const width = Math.min(at.width, (520 * size[0]) / size[1]), height = (width * size[1]) / size[0];
  const context = prepared(at.canvas, width, height), boxes = patchBoxes(at, width, height);
  greyPhoto(context, at.image, width, height);
  photoWeights(context, at, boxes, at.row, at.limit);
  if (at.chosen) ringed(context, outline(at, boxes), 1.5);
  if (at.position !== null && at.position >= 0) {
    const x = boxes.left + ((at.position % boxes.columns) + 0.5) * boxes.wide;
    const y = boxes.top + (Math.floor(at.position / boxes.columns) + 0.5) * boxes.high;
    const mark = new Path2D(), radius = Math.max(4, Math.min(boxes.wide, boxes.high) * 0.32);
    mark.arc(x, y, radius, 0, 2 * Math.PI);
    mark.moveTo(x - radius * 0.6, y);
    mark.lineTo(x + radius * 0.6, y);
    mark.moveTo(x, y - radius * 0.6);
    mark.lineTo(x, y + radius * 0.6);
    ringed(context, mark, 2);
  }
  return {
    width, height, across: boxes.columns,
    positionAt: (x, y) => {
      const column = Math.floor((x - boxes.left) / boxes.wide), row = Math.floor((y - boxes.top) / boxes.high);
      const isInside = column >= 0 && column < boxes.columns && row >= 0 && row < boxes.rows;
      return isInside ? row * boxes.columns + column : null;
    },
  };
}

// Around the chosen patches, not between them.
function outline(at, boxes) {
  const path = new Path2D(), { rows, columns } = boxes;
  const isIn = (row, column) =>
    row >= 0 && row < rows && column >= 0 && column < columns && at.chosen[at.data.classTokens + row * columns + column];
  const line = (x0, y0, x1, y1) => {
    path.moveTo(boxes.left + x0 * boxes.wide, boxes.top + y0 * boxes.high);
    path.lineTo(boxes.left + x1 * boxes.wide, boxes.top + y1 * boxes.high);
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!isIn(row, column)) continue;
      if (!isIn(row - 1, column)) line(column, row, column + 1, row);
      if (!isIn(row + 1, column)) line(column, row + 1, column + 1, row + 1);
      if (!isIn(row, column - 1)) line(column, row, column, row + 1);
      if (!isIn(row, column + 1)) line(column + 1, row, column + 1, row + 1);
    }
  }
  return path;
}

// Sound ----------------------------------------------------------------------------------------------------------------

const PATH_LANE = 18, WEIGHT_LANE = 96, SOUND_LANE = 112, SOUND_AXIS = 22, SOUND_GUTTER = 44;

function drawSound(at) {
  const { data } = at, letters = data.path.length ? PATH_LANE : 0, width = at.width, area = width - SOUND_GUTTER;
  const top = letters + 4, middle = top + WEIGHT_LANE, bottom = middle + 10 + SOUND_LANE, height = bottom + SOUND_AXIS;
  const context = prepared(at.canvas, width, height), ink = at.ink;
  const seconds = data.sound.seconds, x = (time) => SOUND_GUTTER + (time / seconds) * area, wide = (data.step / seconds) * area;
  context.drawImage(at.spectrogram, SOUND_GUTTER, middle + 10, area, SOUND_LANE);
  context.fillStyle = ink;
  context.textAlign = "right";
  context.fillText(`${data.sound.kilohertz} kHz`, SOUND_GUTTER - 6, middle + 16);
  context.fillText("0", SOUND_GUTTER - 6, bottom - 6);
  soundWeights(context, at, { x, wide, top, middle });
  let free = -Infinity;
  context.textAlign = "center";
  for (const run of data.path) {
    const left = x(run.first * data.step), right = x(run.last * data.step), centre = (left + right) / 2;
    context.fillStyle = "#d55e00";
    context.fillRect(left, letters - 2, Math.max(right - left, 1), 2);
    context.fillStyle = ink;
    const room = context.measureText(run.text).width / 2 + 1;
    if (centre - room > free) {
      context.fillText(run.text, centre, letters / 2 - 1);
      free = centre + room;
    }
  }
  if (at.position !== null) {
    const mark = new Path2D();
    mark.rect(x(at.position * data.step), top, Math.max(wide, 2), bottom - top);
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.setLineDash([]);
    context.stroke(mark);
    context.fillStyle = ink;
    const centre = x((at.position + 0.5) * data.step);
    context.beginPath();
    context.moveTo(centre - 6, bottom + 8);
    context.lineTo(centre + 6, bottom + 8);
    context.lineTo(centre, bottom + 1);
    context.fill();
  }
  timeAxis(context, seconds, { x, area, bottom, ink, width });
  return {
    width, height, across: 10,
    positionAt: (px) => clamp(Math.floor(((px - SOUND_GUTTER) / area) * (seconds / data.step)), 0, at.row.length - 1),
  };
}

function soundWeights(context, at, { x, wide, top, middle }) {
  const { row, data } = at, lane = middle - top, largest = Math.max(at.limit, 1e-9);
  const zero = at.signed ? top + lane / 2 : middle, unit = at.signed ? lane / 2 : lane;
  for (let k = 0; k < row.length; k++) {
    const share = clamp(row[k] / largest, -1, 1), height = (at.signed ? share : Math.sqrt(share)) * unit, left = x(k * data.step);
    context.fillStyle = at.signed ? rolesColour(row[k] >= 0 ? "student" : "teacher") : rolesColour(data.role);
    context.fillRect(left, Math.min(zero, zero - height), Math.max(wide - (wide > 4 ? 1 : 0), 0.75), Math.abs(height));
    if (at.chosen?.[k]) {
      context.fillStyle = at.ink;
      context.fillRect(left, middle + 3, wide + 0.5, 3);
    }
  }
  context.globalAlpha = 0.35;
  context.fillStyle = at.ink;
  context.fillRect(SOUND_GUTTER, zero, at.width - SOUND_GUTTER, 1);
  context.globalAlpha = 1;
  context.textAlign = "right";
  context.fillText(shortly(largest), SOUND_GUTTER - 6, top + 6);
  context.fillText(at.signed ? shortly(-largest) : "0", SOUND_GUTTER - 6, middle - 5);
  if (!at.signed) context.fillText(shortly(largest / 4), SOUND_GUTTER - 6, top + lane / 2);
}

function timeAxis(context, seconds, { x, area, bottom, ink, width }) {
  const most = Math.max(area / 64, 2);
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60].find((one) => seconds / one <= most) ?? 300;
  context.fillStyle = ink;
  context.textAlign = "center";
  for (let i = 0; i * step <= seconds + 1e-9; i++) {
    const text = i ? (i * step).toFixed(step < 1 ? 1 : 0) : "0 s", room = context.measureText(text).width / 2;
    context.fillRect(x(i * step), bottom, 1, 4);
    context.fillText(text, clamp(x(i * step), SOUND_GUTTER + room, width - room), bottom + 14);
  }
}

function paintedSound({ bands, columns, codes }) {
  const given = bytes(codes), image = new ImageData(columns, bands);
  for (let k = 0; k < given.length; k++) {
    const grey = isDark() ? given[k] * 0.85 : 255 - given[k] * 0.85;
    image.data.set([grey, grey, grey, 255], 4 * k);
  }
  const canvas = made("canvas");
  canvas.width = columns;
  canvas.height = bands;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Text -----------------------------------------------------------------------------------------------------------------

const MOST_WITH_LINES = 48; // tokens of which every query's lines are drawn faintly

function drawTokens(at) {
  const { labels } = at.data, line = labels.length > 80 ? 17 : 26, width = Math.min(at.width, 520), top = 4;
  const height = top + labels.length * line + 4;
  const context = prepared(at.canvas, width, height), ink = at.ink;
  context.font = `${line > 20 ? 14 : 12}px ${getComputedStyle(element).fontFamily}`;
  const left = width * 0.36, right = width * 0.64, y = (k) => top + (k + 0.5) * line, own = rolesColour(at.data.role);
  const stroke = (from, to, weight, strength) => {
    const share = clamp(Math.abs(weight) / at.limit, 0, 1);
    if (share < 0.02) return;
    context.strokeStyle = at.signed ? rolesColour(weight >= 0 ? "student" : "teacher") : own;
    context.globalAlpha = strength * Math.sqrt(share);
    context.lineWidth = 0.5 + (strength > 0.5 ? 4.5 : 1.5) * share;
    context.beginPath();
    context.moveTo(left + 6, y(from));
    context.bezierCurveTo(left + (right - left) / 2, y(from), left + (right - left) / 2, y(to), right - 6, y(to));
    context.stroke();
  };
  if (at.allRows && labels.length <= MOST_WITH_LINES) {
    labels.forEach((_, from) => at.allRows(from).forEach((weight, to) => stroke(from, to, weight, 0.12)));
  }
  if (at.position !== null) at.row.forEach((weight, to) => stroke(at.position, to, weight, 0.95));
  context.globalAlpha = 1;
  labels.forEach((label, k) => {
    const isQuery = k === at.position;
    if (isQuery) {
      context.fillStyle = own;
      context.globalAlpha = 0.18;
      context.fillRect(0, y(k) - line / 2 + 1, left, line - 2);
      context.globalAlpha = 1;
      context.strokeStyle = own;
      context.lineWidth = 2;
      context.strokeRect(1, y(k) - line / 2 + 2, left - 2, line - 4);
    }
    const share = clamp(Math.abs(at.row[k]) / at.limit, 0, 1);
    context.fillStyle = at.signed ? rolesColour(at.row[k] >= 0 ? "student" : "teacher") : own;
    context.globalAlpha = 0.5 * Math.sqrt(share);
    context.fillRect(right, y(k) - line / 2 + 1, width - right, line - 2);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    if (at.chosen?.[k]) context.fillRect(width - 4, y(k) - line / 2 + 1, 4, line - 2);
    context.textAlign = "right";
    if (at.position !== null) context.fillText(label, left - 8, y(k), left - 12);
    context.textAlign = "left";
    context.fillText(label, right + 8, y(k), width - right - 16);
  });
  return {
    width, height, across: 1,
    positionAt: (_, py) => clamp(Math.floor((py - top) / line), 0, labels.length - 1),
  };
}

const shortly = (value) => {
  const size = Math.abs(value), sign = value < 0 ? "−" : "";
  return size === 0 ? "0" : sign + (size >= 0.1 ? size.toFixed(2) : size >= 0.001 ? size.toFixed(3) : size.toExponential(0));
};
