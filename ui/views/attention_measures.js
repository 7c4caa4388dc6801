// The causal check of one row, and what heads do over several inputs.

// Two pictures of the same places: the weights, and what silencing does. Each has its own scale, for their units differ.
function drawCheck(box, at, check) {
  const { data, phrases } = at, spread = (values) => {
    const all = new Float32Array(data.labels.length), ends = [...check.starts.slice(1), all.length];
    check.starts.forEach((first, i) => all.fill(values[i] / (ends[i] - first), first, ends[i]));
    return all;
  };
  const pair = [[phrases.check_raw, spread(check.raw)], [phrases.check_change, spread(check.change)]];
  const width = Math.max(120, (box.clientWidth - 24) / (box.clientWidth > 520 ? 2 : 1));
  while (box.children.length < 2) {
    const figure = made("figure");
    figure.append(made("figcaption"), made("canvas"));
    box.append(figure);
  }
  pair.forEach(([title, row], i) => {
    const figure = box.children[i], canvas = part("canvas", figure), largest = Math.max(...row, 1e-9);
    part("figcaption", figure).textContent = title;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${title}: ${fill(phrases.most, { place: data.labels[row.indexOf(Math.max(...row))], weight: shortly(largest) })}`);
    if (data.grid) smallPhoto(canvas, at, row, largest, Math.min(width, 300));
    else bars(canvas, at, row, largest, width);
  });
}

function smallPhoto(canvas, at, row, largest, most) {
  const { size } = at.data.photo, width = Math.min(most, (260 * size[0]) / size[1]), height = (width * size[1]) / size[0];
  const context = prepared(canvas, width, height);
  greyPhoto(context, at.image, width, height);
  photoWeights(context, { ...at, signed: false }, patchBoxes(at, width, height), row, largest);
}

function bars(canvas, at, row, largest, width) {
  const { data } = at, isText = data.modality === "text" && row.length <= 32, high = 84, below = isText ? 70 : 22;
  const context = prepared(canvas, width, high + below), left = 38, area = width - left, wide = area / row.length;
  row.forEach((one, k) => {
    const height = (one / largest) * (high - 6);
    context.fillStyle = k === at.place ? at.ink : rolesColour(data.role);
    context.fillRect(left + k * wide, high - height, Math.max(wide - (wide > 4 ? 1 : 0), 0.75), height);
  });
  context.fillStyle = at.ink;
  context.textAlign = "right";
  context.fillText(shortly(largest), left - 5, 8);
  context.fillText("0", left - 5, high - 4);
  context.globalAlpha = 0.35;
  context.fillRect(left, high, area, 1);
  context.globalAlpha = 1;
  if (isText) {
    data.labels.forEach((label, k) => {
      context.save();
      context.translate(left + (k + 0.5) * wide, high + 5);
      context.rotate(-Math.PI / 2);
      context.fillText(label, 0, 0, below - 8);
      context.restore();
    });
  } else if (data.sound) {
    timeAxis(context, data.sound.seconds, { x: (time) => left + (time / data.sound.seconds) * area, area, bottom: high, ink: at.ink, width });
  }
}

// A dot a head over its layer, and where attention that looks everywhere alike would be.
function drawMeasures(box, at, found) {
  const { phrases } = at, charts = [
    [phrases.distance_unit, "distance", found.uniform, null],
    [phrases.entropy, "entropy", 1, 1],
  ];
  const width = Math.max(160, (box.clientWidth - 32) / (box.clientWidth > 560 ? 2 : 1));
  while (box.children.length < 2) {
    const figure = made("figure");
    figure.append(made("figcaption"), made("canvas"));
    box.append(figure);
  }
  charts.forEach(([title, name, baseline, most], i) => {
    const figure = box.children[i], canvas = part("canvas", figure);
    const all = found.roles.flatMap((one) => one[name].flat());
    const whose = found.roles.length > 1 ? ` · ● ${phrases.student} ○ ${phrases.teacher}` : "";
    part("figcaption", figure).textContent = title + whose;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${title}: ${shortly(Math.min(...all))} – ${shortly(Math.max(...all))}; ${phrases.uniform} ${shortly(baseline)}`);
    measureChart(canvas, at, found, name, baseline, most ?? Math.max(...all, baseline) * 1.08, width);
  });
}

function measureChart(canvas, at, found, name, baseline, top, width) {
  const height = 210, left = 40, bottom = height - 26, context = prepared(canvas, width, height), depth = at.data.depth;
  const right = width - 8 - context.measureText(at.phrases.uniform).width;
  const x = (layer) => left + ((layer - 0.5) / depth) * (right - left), y = (value) => bottom - (value / top) * (bottom - 12);
  context.fillStyle = at.ink;
  context.textAlign = "right";
  for (let i = 0; i <= 4; i++) {
    const value = (top * i) / 4;
    context.globalAlpha = 1;
    if (i % 2 === 0) context.fillText(shortly(value), left - 6, clamp(y(value), 8, bottom));
    context.globalAlpha = 0.12;
    context.fillRect(left, y(value), right - left, 1);
  }
  context.globalAlpha = 1;
  context.textAlign = "center";
  const every = Math.ceil((depth * 18) / (right - left));
  for (let layer = 1; layer <= depth; layer += every) context.fillText(layer, x(layer), bottom + 14);
  context.setLineDash([5, 4]);
  context.strokeStyle = at.ink;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(left, y(baseline));
  context.lineTo(right, y(baseline));
  context.stroke();
  context.setLineDash([]);
  context.textAlign = "right";
  context.fillText(at.phrases.uniform, width - 2, clamp(y(baseline), 8, bottom));
  const room = Math.min(0.8 * ((right - left) / depth), 90), heads = at.data.heads;
  for (const one of found.roles) {
    one[name].forEach((row, i) => row.forEach((value, head) => {
      const isChosen = i + 1 === at.layer && head + 1 === at.head, kind = one.kinds?.[i][head];
      const px = x(i + 1) + (heads > 1 ? (head / (heads - 1) - 0.5) * room : 0), py = y(value), spread = one[`${name}_spread`][i][head];
      context.strokeStyle = context.fillStyle = rolesColour(one.role);
      context.globalAlpha = 0.4;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(px, clamp(y(value - spread), 4, bottom));
      context.lineTo(px, clamp(y(value + spread), 4, bottom));
      context.stroke();
      context.globalAlpha = isChosen ? 1 : 0.85;
      marker(context, px, py, isChosen ? 6 : 3.8, kind, one.role === "teacher" && found.roles.length > 1);
      if (isChosen) {
        context.strokeStyle = at.ink;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(px, py, 9, 0, 2 * Math.PI);
        context.stroke();
      }
    }));
  }
  context.globalAlpha = 1;
}

function marker(context, x, y, size, kind, isHollow) {
  context.beginPath();
  if (kind === "diagonal") context.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
  else if (kind === "vertical") {
    context.moveTo(x, y - size * 1.2);
    context.lineTo(x + size * 1.1, y + size);
    context.lineTo(x - size * 1.1, y + size);
    context.closePath();
  } else context.arc(x, y, size, 0, 2 * Math.PI);
  context.lineWidth = 1.5;
  if (isHollow) context.stroke();
  else context.fill();
}

// The same numbers as a table, one row a head.
function measuresTable(at, found) {
  const { phrases } = at, heads = [phrases.layer_word, phrases.head_word];
  for (const one of found.roles) {
    const who = found.roles.length > 1 ? ` (${phrases[one.role]})` : "";
    heads.push(phrases.distance_unit + who, phrases.entropy + who);
    if (one.kinds) heads.push(phrases.kind + who);
  }
  const rows = [];
  for (let layer = 1; layer <= at.data.depth; layer++) {
    for (let head = 1; head <= at.data.heads; head++) {
      rows.push([layer, head, ...found.roles.flatMap((one) => [
        shortly(one.distance[layer - 1][head - 1]), shortly(one.entropy[layer - 1][head - 1]),
        ...(one.kinds ? [phrases[one.kinds[layer - 1][head - 1]].split(/[:：]/)[0]] : []),
      ])]);
    }
  }
  return numbersTable(phrases.measures_table, heads, rows);
}
