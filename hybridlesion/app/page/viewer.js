// The photograph with its outline and layers: zoom, move, and correction of the outline.

import { $, drawing, element } from "./dom.js";

const POINTS = 192; // of an outline that is being corrected
const STEP = 12; // points between two handles

const path = (contours) => contours.map((one) => `M${one.map((point) => point.join(" ")).join("L")}Z`).join("");

// Evenly spaced points along a closed line.
function resample(line) {
  const closed = [...line, line[0]];
  const length = [0];
  for (let i = 1; i < closed.length; i += 1) {
    length.push(length[i - 1] + Math.hypot(closed[i][0] - closed[i - 1][0], closed[i][1] - closed[i - 1][1]));
  }
  let i = 0;
  return Array.from({ length: POINTS }, (_, k) => {
    const at = (k * length.at(-1)) / POINTS;
    while (length[i + 1] < at) i += 1;
    const share = (at - length[i]) / (length[i + 1] - length[i] || 1);
    return [0, 1].map((axis) => closed[i][axis] + share * (closed[i + 1][axis] - closed[i][axis]));
  });
}

export class Viewer {
  constructor({ corrected, failed }) {
    this.corrected = corrected;
    this.failed = failed;
    this.shown = new Set();
    this.pointers = new Map();
    this.picture = $("picture");
    const on = (name, work, options) => this.picture.addEventListener(name, work, options);
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("keydown", (event) => this.key(event));
    $("in").addEventListener("click", () => this.zoom(1.5));
    $("out").addEventListener("click", () => this.zoom(1 / 1.5));
    $("fit").addEventListener("click", () => this.fit());
    $("edit").addEventListener("click", () => this.edit(!this.editing));
    new ResizeObserver(() => this.look()).observe(this.picture);
  }

  show(lesion) {
    const isNew = lesion.id !== this.lesion?.id;
    this.lesion = lesion;
    this.base = `/photographs/${encodeURIComponent(lesion.id)}`;
    this.version = (this.version ?? 0) + 1;
    $("name").textContent = lesion.name;
    $("name").title = `${lesion.name}, ${lesion.width} x ${lesion.height} pixels`;
    if (isNew) {
      const photograph = $("photograph");
      this.picture.style.aspectRatio = `${lesion.width} / ${lesion.height}`;
      photograph.setAttribute("width", lesion.width);
      photograph.setAttribute("height", lesion.height);
      photograph.setAttribute("href", `${this.base}/photograph.jpg`);
      this.fit();
      this.edit(false);
    } else if (this.editing) this.edit(true);
    this.outline(lesion.outline);
    this.buttons();
    this.layers();
  }

  // A photograph that is being read, or cannot be.
  clear(name) {
    this.lesion = null;
    $("name").textContent = name;
    $("photograph").removeAttribute("href");
    $("busy").hidden = true;
    for (const id of ["layers", "handles", "legend"]) $(id).replaceChildren();
    for (const id of ["outline", "outline-edge"]) $(id).setAttribute("d", "");
  }

  outline(contours) {
    const hidden = this.shown.has("no outline");
    for (const id of ["outline", "outline-edge"]) $(id).setAttribute("d", hidden ? "" : path(contours));
  }

  buttons() {
    const all = [{ name: "outline", title: "Outline" }, ...this.lesion.layers];
    const made = all.map(({ name, title }) => {
      const pressed = name === "outline" ? !this.shown.has("no outline") : this.shown.has(name);
      const button = element("button", { type: "button", "aria-pressed": String(pressed) }, title);
      button.addEventListener("click", () => this.toggle(name, button));
      return button;
    });
    $("layer-buttons").replaceChildren(...made);
  }

  toggle(name, button) {
    const key = name === "outline" ? "no outline" : name;
    if (!this.shown.delete(key)) this.shown.add(key);
    const pressed = name === "outline" ? !this.shown.has(key) : this.shown.has(key);
    button.setAttribute("aria-pressed", String(pressed));
    this.outline(this.points ? [this.points] : this.lesion.outline);
    this.layers();
  }

  // Show a layer while the evidence of a count is looked at.
  peek(name) {
    if (this.peeked === name) return;
    this.peeked = name;
    this.layers();
  }

  layers() {
    const { width, height, layers } = this.lesion;
    const wanted = layers.filter(({ name }) => this.shown.has(name) || this.peeked === name);
    const slow = wanted.some(({ name }) => name === "network");
    const waiting = new Set();
    const images = wanted.map(({ name }) => {
      const href = `${this.base}/layers/${name}?version=${this.version}`;
      const old = $("layers").querySelector(`[href="${href}"]`);
      if (old) return old;
      const image = drawing("image", { href, width, height, preserveAspectRatio: "none" });
      waiting.add(image);
      const done = (event) => {
        waiting.delete(image);
        if (!waiting.size) $("busy").hidden = true;
        if (event.type === "error") this.failed("This layer could not be drawn. Switch it off and on again.");
      };
      image.addEventListener("load", done);
      image.addEventListener("error", done);
      return image;
    });
    $("layers").replaceChildren(...images);
    if (waiting.size) this.busy(slow ? "drawing the network map; the first one takes longest" : "drawing");
    else $("busy").hidden = true;
    const entries = wanted.flatMap(({ legend }) => legend).map(({ color, text, present }) => {
      const swatch = drawing("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, drawing("rect", { width: 10, height: 10, rx: 2, fill: color, stroke: "currentColor", "stroke-width": 0.8 }));
      return element("li", present ? { class: "present" } : {}, swatch, text);
    });
    $("legend").replaceChildren(...entries);
  }

  busy(text) {
    $("busy").textContent = `${text} …`;
    $("busy").hidden = false;
  }

  fit() {
    if (!this.lesion) return;
    this.view = { x: this.lesion.width / 2, y: this.lesion.height / 2, scale: 1 };
    this.look();
  }

  // The view box: centre, and magnification against the whole photograph.
  look() {
    if (!this.lesion) return;
    const { width, height } = this.lesion;
    const [w, h] = [width / this.view.scale, height / this.view.scale];
    this.view.x = Math.max(0, Math.min(width, this.view.x));
    this.view.y = Math.max(0, Math.min(height, this.view.y));
    this.picture.setAttribute("viewBox", `${this.view.x - w / 2} ${this.view.y - h / 2} ${w} ${h}`);
    const pixel = this.pixel();
    for (const circle of $("handles").children) circle.setAttribute("r", 6 * pixel);
  }

  // Size of a pixel of the screen in pixels of the photograph.
  pixel() {
    return 1 / (this.picture.getScreenCTM()?.a || 1);
  }

  at(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.picture.getScreenCTM().inverse());
    return [point.x, point.y];
  }

  zoom(factor, centre = [this.view?.x, this.view?.y]) {
    if (!this.lesion) return;
    const scale = Math.max(1, Math.min(40, this.view.scale * factor));
    const moved = 1 - this.view.scale / scale;
    this.view.x += (centre[0] - this.view.x) * moved;
    this.view.y += (centre[1] - this.view.y) * moved;
    this.view.scale = scale;
    this.look();
  }

  wheel(event) {
    if (!this.lesion) return;
    // The page scrolls over a photograph that fits, unless Ctrl is held.
    if (this.view.scale === 1 && event.deltaY > 0 && !event.ctrlKey) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), this.at(event));
  }

  down(event) {
    if (!this.lesion) return;
    this.picture.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (!this.editing || event.button) return;
    const circle = event.target.closest("circle");
    this.grabbed = circle ? Number(circle.dataset.point) : null;
    this.drawn = circle ? null : [this.at(event)];
    this.start = { at: this.at(event), points: this.points };
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (others.length) {
      const apart = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
      this.drawn = this.start = null;
      this.zoom(apart(event) / apart(before), this.at(event));
    } else if (this.start && this.drawn) {
      this.drawn.push(this.at(event));
      $("lasso").setAttribute("d", path([this.drawn]));
    } else if (this.start) {
      const [x, y] = this.at(event);
      this.bend(this.grabbed, x - this.start.at[0], y - this.start.at[1], this.start.points);
    } else {
      const pixel = this.pixel();
      this.view.x -= (event.clientX - before.clientX) * pixel;
      this.view.y -= (event.clientY - before.clientY) * pixel;
      this.look();
    }
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.start) return;
    const { drawn, start } = this;
    this.start = this.drawn = null;
    $("lasso").setAttribute("d", "");
    if (drawn && drawn.length > 8) this.setPoints(resample(drawn));
    else if (drawn || this.points === start.points) return;
    this.send();
  }

  key(event) {
    const step = 40 * this.pixel();
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [x, y] = moves[event.key] ?? [];
    if (!this.lesion) return;
    if (event.key === "Escape") this.edit(false);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(1 / 1.25);
    else if (event.key === "0") this.fit();
    else if (x === undefined) return;
    else if (event.target.dataset.point) {
      this.bend(Number(event.target.dataset.point), (x * step) / 10, (y * step) / 10, this.points);
      clearTimeout(this.pending);
      this.pending = setTimeout(() => this.send(), 700);
    } else {
      this.view.x += x * step;
      this.view.y += y * step;
      this.look();
    }
    event.preventDefault();
  }

  // Move a point, and its neighbours less and less.
  bend(index, dx, dy, points) {
    this.points = points.map(([x, y], k) => {
      const apart = Math.min((k - index + POINTS) % POINTS, (index - k + POINTS) % POINTS);
      const weight = apart < STEP ? Math.cos((Math.PI * apart) / (2 * STEP)) ** 2 : 0;
      return [x + weight * dx, y + weight * dy];
    });
    this.outline([this.points]);
    for (const circle of $("handles").children) {
      const [x, y] = this.points[circle.dataset.point];
      circle.setAttribute("cx", x);
      circle.setAttribute("cy", y);
    }
  }

  edit(wanted) {
    this.editing = wanted;
    $("edit").setAttribute("aria-pressed", String(wanted));
    $("edit").textContent = wanted ? "Done" : "Correct outline";
    $("hint").hidden = !wanted;
    this.picture.classList.toggle("editing", wanted);
    if (wanted) this.shown.delete("no outline");
    const own = this.lesion.outline[0];
    this.setPoints(wanted && own ? resample(own) : null);
    this.buttons();
  }

  setPoints(points) {
    const focused = document.activeElement?.dataset?.point;
    this.points = points;
    this.outline(points ? [points] : this.lesion.outline);
    const count = POINTS / STEP;
    const circles = (points ?? []).flatMap(([cx, cy], k) => {
      if (k % STEP) return [];
      const label = `Point ${1 + k / STEP} of ${count} of the outline: arrow keys move it`;
      return [drawing("circle", { cx, cy, "data-point": k, tabindex: 0, role: "button", "aria-label": label })];
    });
    $("handles").replaceChildren(...circles);
    if (focused) circles.find((one) => one.dataset.point === focused)?.focus();
    this.look();
  }

  send() {
    clearTimeout(this.pending);
    if (this.points) this.corrected(this.lesion.id, this.points);
  }
}
