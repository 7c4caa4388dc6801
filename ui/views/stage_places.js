// How patches, tokens and frames are drawn: each painter is given the name of a place and the look of the page.
const GREY = "rgba(136,136,136,0.28)";
const AXIS = 20, WAVE = 84, STRIP = 30, BARS = 96;

const cell = (place, width, height) => {
  const [rows, columns] = data.grid, row = Math.floor(place / columns), column = place % columns;
  const x = Math.round(column * width / columns), y = Math.round(row * height / rows);
  return [x, y, Math.round((column + 1) * width / columns) - x, Math.round((row + 1) * height / rows) - y];
};

const isReady = () => photo?.complete && photo.naturalWidth > 0;

function paintPatches(name, look) {
  const place = part(`.${name} .place`), canvas = place.querySelector("canvas");
  const width = place.clientWidth, height = Math.round(width * data.size[1] / data.size[0]);
  const context = sheet(canvas, width, height);
  const hasPhoto = ["student", "teacher"].includes(name) || name === "measure" || (name === "prediction" && show === "nearest");
  if (hasPhoto && isReady()) {
    context.save();
    if (name === "measure" || name === "prediction") context.globalAlpha = 0.4;
    context.drawImage(name === "measure" ? grey ?? photo : photo, 0, 0, width, height);
    context.restore();
  }
  for (let at = 0; at < data.count; at++) {
    const [x, y, w, h] = cell(at, width, height), isHidden = data.index[at] >= 0;
    if (name === "student") {
      if (mask[at]) hatch(context, x, y, w, h, look);
      continue;
    }
    if (name === "target") context.fillStyle = targetColour(at);
    else if (name === "prediction") context.fillStyle = isHidden ? predictedColour(at) : show === "nearest" ? "transparent" : GREY;
    else if (name === "measure" && isHidden) context.fillStyle = `rgb(${ramp(farness(at))})`;
    else continue;
    if (name === "prediction" && isHidden && show === "nearest" && isReady()) copyPatch(context, found(at).nearest[0], x, y, w, h);
    else context.fillRect(x, y, w, h);
  }
  if (name === "target") outline(context, width, height, look);
  const selected = lab.selected.position;
  if (selected >= 0 && selected < data.count) ring(context, ...cell(selected, width, height));
}

function copyPatch(context, from, x, y, width, height) {
  const [left, top, w, h] = cell(from, photo.naturalWidth, photo.naturalHeight);
  context.drawImage(photo, left, top, w, h, x, y, width, height);
}

// Where something is predicted, for the eye to compare.
function outline(context, width, height, look) {
  const [rows, columns] = data.grid;
  context.strokeStyle = look.ink;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = 0; at < data.count; at++) {
    const [x, y, w, h] = cell(at, width, height), isHidden = data.index[at] >= 0, column = at % columns;
    if (column + 1 < columns && isHidden !== data.index[at + 1] >= 0) { context.moveTo(x + w, y); context.lineTo(x + w, y + h); }
    if (at + columns < rows * columns && isHidden !== data.index[at + columns] >= 0) { context.moveTo(x, y + h); context.lineTo(x + w, y + h); }
  }
  context.stroke();
}

// Speech ------------------------------------------------------------------------------------------------------------

const area = () => Math.max(part(".student .place")?.clientWidth ?? 0, 120);
const across = (place, width) => (place - view.from) / (view.to - view.from) * width;

function paintFrames(name, look) {
  const place = part(`.${name} .place`), canvas = place.querySelector("canvas"), width = place.clientWidth;
  const hasWave = name === "student" || name === "teacher" || (name === "prediction" && show === "nearest");
  const body = hasWave ? WAVE : name === "measure" ? BARS : STRIP;
  const hasAxis = name === "student" || name === "teacher";
  const context = sheet(canvas, width, body + (hasAxis ? AXIS : 0));
  const first = Math.max(0, Math.floor(view.from)), last = Math.min(data.count, Math.ceil(view.to));
  for (let at = first; at < last; at++) {
    const x = across(at, width), w = across(at + 1, width) - x, isHidden = data.index[at] >= 0;
    const left = Math.round(x), wide = Math.max(1, Math.round(x + w) - left);
    if (hasWave) {
      const from = name === "prediction" ? (isHidden ? found(at).nearest[0] : -1) : at;
      if (from >= 0) wave(context, from, x, w, body, look.ink);
      else { context.fillStyle = GREY; context.fillRect(left, 0, wide, body); }
      if (name === "student" && mask[at]) hatch(context, left, 0, wide, body, look, 0.86);
    } else if (name === "measure") {
      if (isHidden) bar(context, at, left, wide, body);
    } else {
      context.fillStyle = name === "target" ? targetColour(at) : isHidden ? predictedColour(at) : GREY;
      context.fillRect(left, 0, wide, body);
    }
  }
  if (name === "measure") levels(context, width, body, look);
  if (hasAxis) axis(context, width, body, look);
  const selected = lab.selected.position;
  if (selected >= first && selected < last) {
    const x = across(selected, width);
    ring(context, Math.round(x) - 1, 0, Math.max(5, Math.round(across(selected + 1, width) - x) + 2), body);
  }
}

function wave(context, frame, x, width, height, ink, share = 0.7) {
  const steps = data.wave.length / 2 / data.count;
  context.fillStyle = ink;
  context.globalAlpha = share;
  for (let i = 0; i < steps; i++) {
    const low = data.wave[2 * (frame * steps + i)], high = data.wave[2 * (frame * steps + i) + 1];
    context.fillRect(x + i * width / steps, height * (1 - high / 255), Math.max(0.6, width / steps), Math.max(1, height * (high - low) / 255));
  }
  context.globalAlpha = 1;
}

// How tall a bar is: error and rank grow with the distance, cosine with the likeness.
const tall = (place) => (measure === "cosine" ? clamp(found(place).cosine, 0, 1) : clamp(farness(place), 0, 1));

function bar(context, place, x, width, height) {
  const size = Math.max(1.5, tall(place) * (height - 4));
  context.fillStyle = `rgb(${ramp(farness(place))})`;
  context.fillRect(x, height - size, Math.max(1, width - (width > 3 ? 1 : 0)), size);
}

function levels(context, width, height, look) {
  const mean = data.tensors[rule.tensor].means[rule.k - 1];
  const level = measure === "error" ? mean.guess / data.tensors[rule.tensor].limit
    : measure === "rank" ? Math.log((data.count + 1) / 2) / Math.log(data.count) : null;
  context.strokeStyle = look.ink;
  context.globalAlpha = 0.35;
  context.fillStyle = look.ink;
  context.fillRect(0, height - 1, width, 1);
  if (level === null || level > 1) { context.globalAlpha = 1; return; }
  context.globalAlpha = 0.8;
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(0, height - level * (height - 4));
  context.lineTo(width, height - level * (height - 4));
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function axis(context, width, top, look) {
  const seconds = (view.to - view.from) * data.step, wanted = seconds * 70 / width;
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((one) => one >= wanted) ?? 20;
  context.fillStyle = look.ink;
  context.font = `11px ${look.font}`;
  context.globalAlpha = 0.8;
  for (let time = Math.ceil(view.from * data.step / step) * step; time <= view.to * data.step + 1e-9; time += step) {
    const x = across(time / data.step, width), text = say("seconds", { number: time.toFixed(step < 0.1 ? 2 : step < 1 ? 1 : 0) });
    const size = context.measureText(text).width;
    context.fillRect(x, top, 1, 4);
    context.fillText(text, clamp(x - size / 2, 0, width - size), top + 15);
  }
  context.globalAlpha = 1;
}

// Text --------------------------------------------------------------------------------------------------------------

const inkOn = (colour) => {
  const [red, green, blue] = colour.match(/\d+/g).map((one) => {
    const share = one / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
};

function paintTokens(name) {
  const chips = part(`.${name} .place`).children;
  for (let at = 0; at < data.count; at++) {
    const chip = chips[at], isHidden = name === "student" ? Boolean(mask[at]) : data.index[at] >= 0;
    const [text, value] = chip.children, isRun = mask[at] === data.isMasked[at];
    let colour = "", said = data.labels[at], number = "";
    if (name === "student" && isHidden) said = isRun ? data.read[at] : data.mask;
    if (name === "target") colour = targetColour(at);
    if (name === "prediction" && isHidden) {
      colour = predictedColour(at);
      said = data.labels[found(at).nearest[0]];
    }
    if (name === "measure" && isHidden) {
      colour = `rgb(${ramp(farness(at))})`;
      number = measured(found(at));
    }
    text.textContent = said;
    value.textContent = number;
    chip.style.background = colour;
    chip.style.color = colour ? inkOn(colour) : "";
    chip.classList.toggle("hidden-place", name === "student" && isHidden);
    chip.classList.toggle("other", name === "student" && isHidden && isRun && said !== data.mask && said !== data.labels[at]);
    chip.classList.toggle("pale", ["prediction", "measure"].includes(name) && !isHidden);
    chip.classList.toggle("special", !data.maskable[at]);
    chip.classList.toggle("selected", isSelected(at));
  }
}

const painters = { vision: paintPatches, audio: paintFrames, text: paintTokens };

// The layers of the teacher -----------------------------------------------------------------------------------------

function drawTile(tile, look) {
  const layer = Number(tile.dataset.layer), canvas = tile.querySelector("canvas"), width = canvas.clientWidth;
  if (!width) return;
  canvas.setAttribute("aria-hidden", "true"); // the button has the words
  const isIn = isInTarget(layer), isPicture = data.kind === "vision";
  const height = isPicture ? Math.round(width * data.size[1] / data.size[0]) : 14;
  const context = sheet(canvas, width, height), selected = lab.selected.position;
  const [first, last] = data.kind === "audio" ? [view.from, view.to] : [0, data.count];
  for (let at = Math.floor(first); at < Math.min(last, data.count); at++) {
    context.fillStyle = tileColour(layer, at);
    if (isPicture) { context.fillRect(...cell(at, width, height)); continue; }
    const x = Math.round((at - first) / (last - first) * width), end = Math.round((at + 1 - first) / (last - first) * width);
    context.fillRect(x, 0, Math.max(1, end - x), height);
  }
  if (!isPicture && selected >= first && selected < last) {
    const size = width / (last - first);
    ring(context, Math.round((selected - first) * size) - 1, 0, Math.max(5, Math.round(size) + 2), height);
  }
  tile.classList.toggle("out", !isIn);
  tile.classList.toggle("chosen", layer === lab.selected.layer);
  tile.setAttribute("aria-label", say(isIn ? "layer_in" : "layer_out", { layer }));
  tile.setAttribute("aria-pressed", layer === lab.selected.layer);
}

function layOut() {
  const stage = part(".stage");
  stage.dataset.kind = data.kind;
  for (const place of parts(".place")) {
    place.replaceChildren();
    if (data.kind !== "text") { place.append(document.createElement("canvas")); continue; }
    data.labels.forEach((label, at) => {
      const chip = document.createElement("span");
      chip.className = "chip";
      chip.dataset.at = at;
      chip.append(document.createElement("span"), document.createElement("small"));
      place.append(chip);
    });
  }
  const layers = Array.from({ length: data.depth }, (_, i) => (data.kind === "vision" ? i + 1 : data.depth - i));
  part(".tiles").replaceChildren(...layers.map((layer) => {
    const tile = document.createElement("button"), label = document.createElement("span");
    tile.type = "button";
    tile.className = "tile";
    tile.dataset.layer = layer;
    label.textContent = layer;
    tile.append(label, document.createElement("canvas"));
    return tile;
  }));
  part("input.k").max = data.depth;
  for (const [name, text, note] of [
    ["teacher", data.hasTeacher ? "teacher" : "same_weights", data.hasTeacher ? "" : "same_weights_note"],
    ["prediction", data.isPredicted ? "prediction" : "own_layers", data.isPredicted ? "" : "own_layers_note"],
  ]) {
    const heading = part(`.${name} h2`), below = part(`.${name} .note`);
    below.dataset.usual ??= below.textContent;
    heading.textContent = say(text);
    below.textContent = note ? say(note) : below.dataset.usual;
  }
  part(".notes").replaceChildren(...data.notes.map((note) => {
    const line = document.createElement("p");
    line.textContent = note;
    return line;
  }));
}
