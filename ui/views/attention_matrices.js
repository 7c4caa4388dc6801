// All heads in small, and one of them as a matrix of queries and keys.

const GAP = 4, HEAD_GUTTER = 26;

function layoutOfHeads(at) {
  const isRollout = at.maps.mode === "rollout";
  const columns = isRollout ? Math.min(4, at.data.depth) : at.data.heads + 1;
  const rows = isRollout ? Math.ceil(at.data.depth / columns) : at.data.depth;
  const [high, wide] = at.data.grid ?? [1, 1];
  const gutter = isRollout ? 0 : HEAD_GUTTER, top = isRollout ? 0 : 20;
  const room = (at.width - gutter) / columns, tallest = Math.max(24, 560 / rows);
  const step = Math.max(10, Math.min(room, (tallest * wide) / high, 96 + GAP));
  const cell = { wide: step - GAP, high: ((step - GAP) * high) / wide };
  const line = cell.high + GAP + (isRollout ? 18 : 0);
  return {
    rows, columns, gutter, top, step, cell, line, isRollout,
    width: gutter + columns * step, height: top + rows * line,
    x: (column) => gutter + column * step, y: (row) => top + row * line + (isRollout ? 18 : 0),
  };
}

// Of pictures, where each head looks from the chosen patch; else its whole matrix.
function headPicture(at, layer, head, limit) {
  if (!at.data.grid) return painted(at.maps.plane(layer, head, true), limit, at.signed);
  const [rows, columns] = at.data.grid;
  const values = at.maps.row(layer, head, at.place, at.position).subarray(at.data.classTokens);
  return painted({ rows, columns, values }, limit, at.signed);
}

// `memory` keeps the mosaic as long as only layer and head change.
function drawHeads(at, memory) {
  const form = layoutOfHeads(at), key = [at.width, at.key, at.data.grid ? at.place : "", isDark()].join("|");
  const { depth, heads } = at.data;
  if (memory.key !== key) {
    memory.key = key;
    const context = prepared(at.base, form.width, form.height);
    context.fillStyle = at.ink;
    context.textAlign = "center";
    context.font = "11px " + getComputedStyle(element).fontFamily;
    for (let layer = 1; layer <= depth; layer++) {
      const across = form.isRollout ? 1 : heads + 1;
      if (!form.isRollout) context.fillText(layer, form.gutter / 2 - 2, form.y(layer - 1) + form.cell.high / 2);
      for (let head = 0; head < across; head++) {
        const [x, y] = cornerOf(form, layer, head);
        if (layer === 1 && !form.isRollout) context.fillText(head || at.phrases.mean, x + form.cell.wide / 2, 10, form.cell.wide + GAP);
        if (form.isRollout) context.fillText(fill(at.phrases.layer, { layer }), x + form.cell.wide / 2, y - 9);
        const limit = at.limitOf(layer, head);
        context.imageSmoothingEnabled = !at.data.grid;
        context.imageSmoothingQuality = "high";
        context.drawImage(headPicture(at, layer, head, limit), x, y, form.cell.wide, form.cell.high);
      }
    }
  }
  const over = prepared(at.over, form.width, form.height);
  if (at.kinds && !form.isRollout) drawKinds(over, at, form);
  const [x, y] = cornerOf(form, at.layer, form.isRollout ? 0 : at.head);
  over.strokeStyle = rolesColour(at.data.role);
  over.lineWidth = 3;
  over.strokeRect(x - 1, y - 1, form.cell.wide + 2, form.cell.high + 2);
  over.strokeStyle = isDark() ? "black" : "white";
  over.lineWidth = 1;
  over.strokeRect(x + 1, y + 1, form.cell.wide - 2, form.cell.high - 2);
  return form;
}

function cornerOf(form, layer, head) {
  if (!form.isRollout) return [form.x(head), form.y(layer - 1)];
  return [form.x((layer - 1) % form.columns), form.y(Math.floor((layer - 1) / form.columns))];
}

function headAt(form, at, px, py) {
  const column = Math.floor((px - form.gutter) / form.step), row = Math.floor((py - form.top) / form.line);
  if (column < 0 || column >= form.columns || row < 0 || row >= form.rows) return null;
  if (!form.isRollout) return { layer: row + 1, head: column };
  const layer = row * form.columns + column + 1;
  return layer <= at.data.depth ? { layer } : null;
}

const KINDS = { diagonal: ["#3f90da", "╲"], global: ["#ffa90e", "●"], vertical: ["#bd1f01", "┃"] }; // Petroff's, with a sign

function drawKinds(context, at, form) {
  context.textAlign = "center";
  context.font = "bold 11px " + getComputedStyle(element).fontFamily;
  at.kinds.forEach((heads, row) => heads.forEach((kind, column) => {
    const [x, y] = cornerOf(form, row + 1, column + 1), size = Math.min(16, form.cell.wide / 2);
    context.fillStyle = "rgba(0, 0, 0, 0.72)";
    context.fillRect(x, y, size, size);
    context.fillStyle = kind === "vertical" ? "#ff8a70" : KINDS[kind][0];
    context.fillText(KINDS[kind][1], x + size / 2, y + size / 2 + 0.5);
  }));
}

// Queries down, keys to the right; the chosen query is framed.
const MATRIX_GUTTER = 34, MATRIX_TOP = 18, MOST_NAMED = 24;

function drawMatrix(at) {
  const { data } = at, areNamed = data.modality === "text" && data.labels.length <= MOST_NAMED;
  const gutter = areNamed ? 74 : MATRIX_GUTTER, bottom = areNamed ? 66 : 8;
  const side = Math.min(at.width - gutter - 2, 420), width = gutter + side + 2, height = MATRIX_TOP + side + bottom;
  const context = prepared(at.canvas, width, height), plane = at.maps.plane(at.layer, at.head);
  context.imageSmoothingEnabled = plane.columns > side;
  context.imageSmoothingQuality = "high";
  context.drawImage(painted(plane, at.limit, at.signed), gutter, MATRIX_TOP, side, side);
  const cell = side / data.labels.length, y = MATRIX_TOP + at.place * cell;
  context.fillStyle = at.ink;
  if (areNamed) {
    data.labels.forEach((label, k) => {
      context.textAlign = "right";
      context.fillText(label, gutter - 5, MATRIX_TOP + (k + 0.5) * cell, gutter - 8);
      context.save();
      context.translate(gutter + (k + 0.5) * cell, MATRIX_TOP + side + 5);
      context.rotate(-Math.PI / 2);
      context.fillText(label, 0, 0, bottom - 8);
      context.restore();
    });
  }
  context.textAlign = "left";
  context.fillText(at.phrases.matrix_keys, gutter, 8);
  if (!areNamed) {
    context.save();
    context.translate(12, MATRIX_TOP + side);
    context.rotate(-Math.PI / 2);
    context.fillText(at.phrases.matrix_queries, 0, 0);
    context.restore();
  }
  const frame = new Path2D();
  frame.rect(gutter, y - (cell < 3 ? 1 : 0), side, Math.max(cell, 3));
  ringed(context, frame, 1);
  context.beginPath();
  context.moveTo(gutter - 2, y + cell / 2);
  context.lineTo(gutter - 9, y + cell / 2 - 5);
  context.lineTo(gutter - 9, y + cell / 2 + 5);
  if (!areNamed) context.fill();
  return { width, height, placeAt: (_, py) => clamp(Math.floor((py - MATRIX_TOP) / cell), 0, data.labels.length - 1) };
}
