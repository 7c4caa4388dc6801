// Attention as the pictures need it: weights back from their bytes, rows, planes, limits, colours. The script of the
// pictures has several parts, of which this is the first: `element`, `props`, `trigger` and `watch` are given.
const RAMP = [[0, 34, 78], [26, 56, 111], [67, 78, 108], [97, 101, 111], [125, 124, 120], [155, 148, 118], [188, 174, 108],
  [222, 201, 88], [254, 232, 56]]; // cividis, in eight steps
const DIFFERENCE = [[110, 40, 0], [213, 94, 0], [246, 246, 246], [0, 114, 178], [0, 50, 92]]; // teacher's to student's
const ROLE = { student: "#0072b2", teacher: "#d55e00", difference: "#0072b2" }; // Okabe and Ito's, as in every figure
const DARK_ROLE = { student: "#56a8e0", teacher: "#f0833a", difference: "#56a8e0" };
const SHARE = 0.6, USUAL = 0.999; // of the mass that is outlined; of the weights that the colours reach

const part = (selector, within = element) => within.querySelector(selector);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const isDark = () => document.body.classList.contains("dark");
const rolesColour = (role) => (isDark() ? DARK_ROLE : ROLE)[role];

const table = (ramp) => Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (ramp.length - 1), low = Math.min(Math.floor(at), ramp.length - 2);
  return ramp[low].map((one, k) => Math.round(one + (ramp[low + 1][k] - one) * (at - low)));
});
const MAGNITUDES = table(RAMP), DIFFERENCES = table(DIFFERENCE);

// Colours follow the root of a weight, and a difference in proportion, with nothing in the middle.
function colourOf(weight, limit, signed) {
  if (signed) return DIFFERENCES[Math.round(clamp(0.5 + weight / (2 * limit), 0, 1) * 255)];
  return MAGNITUDES[Math.round(Math.sqrt(clamp(weight / limit, 0, 1)) * 255)];
}

function restored({ shape, codes, scales }, signed) {
  const given = bytes(codes), largest = new Float32Array(bytes(scales).buffer), n = shape[shape.length - 1];
  const values = new Float32Array(given.length);
  for (let row = 0; row < largest.length; row++) {
    for (let k = row * n; k < (row + 1) * n; k++) {
      const share = signed ? (given[k] - 128) / 127 : given[k] / 255;
      values[k] = Math.sign(share) * share * share * largest[row];
    }
  }
  return { shape, values };
}

// All maps of one answer. `sinks` are places; with `isHiding`, they count as keys no more and the rest is 1 in sum again.
class Maps {
  constructor(given, { depth, heads, places, sinks }) {
    Object.assign(this, { depth, places, sinks, signed: given.signed, whole: given.whole, mode: given.mode });
    this.heads = given.mode === "rollout" ? 1 : heads;
    this.hiddenByServer = given.sinksAreHidden;
    this.hiddenShares = given.hidden;
    this.small = restored(given.small, given.signed);
    this.rowsOf = given.position;
    this.rows = given.rows && restored(given.rows, given.signed);
    this.largeOf = given.layer;
    this.large = given.large && restored(given.large, given.signed);
    this.forget();
  }

  // Another layer or position of the same input.
  refine(given) {
    this.rowsOf = given.position;
    this.rows = given.rows && restored(given.rows, given.signed);
    this.largeOf = given.layer;
    this.large = given.large && restored(given.large, given.signed);
    this.forget();
  }

  forget() {
    this.planes = new Map();
    this.found = {};
  }

  get isHiding() { return this.hiding === true && this.whole && !this.signed && this.mode === "raw"; }

  hide(isHiding) {
    if (this.hiding === isHiding) return;
    this.hiding = isHiding;
    this.forget();
  }

  headOf(head) { return this.mode === "rollout" ? 1 : head; }

  // { rows, columns, values } of a head, 0 for the mean of all, as finely as it is known.
  plane(layer, head, isSmall = false) {
    head = this.headOf(head);
    const isLarge = !this.whole && !isSmall && this.large && layer === this.largeOf;
    const key = `${layer} ${head} ${isLarge}`;
    if (this.planes.has(key)) return this.planes.get(key);
    const { shape, values } = isLarge ? this.large : this.small;
    const [rows, columns] = shape.slice(-2), size = rows * columns;
    const first = isLarge ? 0 : (layer - 1) * this.heads;
    let plane;
    if (head > 0 || this.heads === 1) {
      const at = (first + Math.max(head, 1) - 1) * size;
      plane = values.slice(at, at + size);
    } else {
      plane = new Float32Array(size);
      for (let one = 0; one < this.heads; one++) {
        const at = (first + one) * size;
        for (let k = 0; k < size; k++) plane[k] += values[at + k] / this.heads;
      }
    }
    const made = { rows, columns, values: this.isHiding ? this.without(plane, rows, columns) : plane };
    this.planes.set(key, made);
    return made;
  }

  without(plane, rows, columns) {
    for (let row = 0; row < rows; row++) {
      for (const sink of this.sinks) plane[row * columns + sink] = 0;
      let sum = 0;
      for (let k = row * columns; k < (row + 1) * columns; k++) sum += plane[k];
      if (sum > 0) for (let k = row * columns; k < (row + 1) * columns; k++) plane[k] /= sum;
    }
    return plane;
  }

  // Whether the row of a place is there as it is, and not as a mean of its surroundings.
  isExact(position) { return this.whole || this.rowsOf === position; }

  // Weights of all places, from one of them.
  row(layer, head, place, position) {
    if (this.whole) {
      const { columns, values } = this.plane(layer, head);
      return values.slice(place * columns, (place + 1) * columns);
    }
    head = this.headOf(head);
    if (this.rows && this.rowsOf === position) {
      const n = this.places, first = (layer - 1) * this.heads;
      if (head > 0) return this.rows.values.slice((first + head - 1) * n, (first + head) * n);
      const mean = new Float32Array(n);
      for (let one = 0; one < this.heads; one++) {
        for (let k = 0; k < n; k++) mean[k] += this.rows.values[(first + one) * n + k] / this.heads;
      }
      return mean;
    }
    const { rows, columns, values } = this.plane(layer, head), row = Math.floor((place * rows) / this.places);
    return Float32Array.from({ length: this.places }, (_, k) => values[row * columns + Math.floor((k * columns) / this.places)]);
  }

  // The mean share, over the queries, that goes to the sinks.
  sinkShare(layer, head) {
    head = this.headOf(head);
    if (this.mode !== "raw") return null;
    if (!this.whole || this.signed) {
      if (!this.hiddenByServer) return null;
      const own = this.hiddenShares.slice((layer - 1) * this.heads, layer * this.heads);
      return head ? own[head - 1] : own.reduce((sum, one) => sum + one, 0) / own.length;
    }
    const { shape, values } = this.small, n = shape[3], size = n * n, heads = head ? [head - 1] : [...Array(this.heads).keys()];
    let sum = 0;
    for (const one of heads) {
      const at = ((layer - 1) * this.heads + one) * size;
      for (let row = 0; row < n; row++) for (const sink of this.sinks) sum += values[at + row * n + sink];
    }
    return sum / (n * heads.length);
  }

  // What the colours reach: all but one weight in a thousand stay below. Of all heads, or of one.
  limit(layer, head, isShared) {
    const key = isShared ? "all" : `${layer} ${this.headOf(head)}`;
    if (this.found[key]) return this.found[key];
    const planes = isShared
      ? Array.from({ length: this.depth * this.heads }, (_, i) => this.plane(1 + Math.floor(i / this.heads), 1 + (i % this.heads), true))
      : [this.plane(layer, head)];
    // Means of many are small: the row that is known exactly is drawn in the same colours.
    if (isShared && this.rows) planes.push({ rows: 1, columns: this.rows.values.length, values: this.rows.values });
    const counts = new Uint32Array(4096);
    let most = 0, all = 0;
    const each = (use) => {
      for (const { rows, columns, values } of planes) {
        // What a place keeps of itself, the residual connection's half, would outshine all else of a rollout.
        const step = this.mode === "rollout" && rows === columns && rows > 1 ? columns + 1 : 0;
        for (let k = 0; k < values.length; k++) if (!step || k % step) use(Math.abs(values[k]));
      }
    };
    each((one) => { most = Math.max(most, one); all += 1; });
    each((one) => { counts[Math.min(4095, Math.floor((one / (most || 1)) * 4096))] += 1; });
    let below = 0, bin = 0;
    while (bin < 4095 && (below += counts[bin]) < USUAL * all) bin += 1;
    const limit = Math.max(((bin + 1) / 4096) * most, 1e-9);
    return (this.found[key] = { limit, isCut: limit < 0.98 * most || !this.whole || this.mode === "rollout" });
  }
}

// The fewest places that together hold a share of the weight.
function mostOfTheMass(row, share = SHARE) {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
  const total = row.reduce((sum, one) => sum + one, 0), chosen = new Uint8Array(row.length);
  let reached = 0, count = 0;
  for (const place of order) {
    if (total <= 0 || reached >= share * total - 1e-9) break;
    reached += row[place];
    chosen[place] = 1;
    count += 1;
  }
  return { chosen, count, order };
}

// An offscreen picture of a plane, one pixel a weight.
function painted({ rows, columns, values }, limit, signed) {
  const image = new ImageData(columns, rows);
  for (let k = 0; k < values.length; k++) {
    const [red, green, blue] = colourOf(values[k], limit, signed);
    image.data[4 * k] = red;
    image.data[4 * k + 1] = green;
    image.data[4 * k + 2] = blue;
    image.data[4 * k + 3] = 255;
  }
  const canvas = made("canvas");
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// A canvas of a size in CSS pixels, cleared.
function prepared(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const wide = Math.round(width * scale), high = Math.round(height * scale);
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px " + getComputedStyle(element).fontFamily;
  context.textBaseline = "middle";
  return context;
}

// A line that shows on dark and on light.
function ringed(context, path, width = 1.5) {
  context.lineJoin = context.lineCap = "round";
  for (const [colour, wide] of [["black", width + 1.8], ["white", width]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.stroke(path);
  }
}
