// The waveform and the spectrogram of an utterance, the words below it, and the stretch that is played.

const WAVE = 0.4; // of the height
const LANES = 3; // of words, one below the other, so that short ones do not cover each other

export class Drawing {
  constructor(canvas, words, onSeek, onStretch) {
    Object.assign(this, { canvas, words, onSeek, onStretch, picture: null, stretch: null, at: 0 });
    let from = null;
    canvas.addEventListener("pointerdown", (event) => { from = this.timeOf(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", (event) => {
      if (from === null || !this.picture) return;
      const to = this.timeOf(event);
      if (Math.abs(to - from) < 0.05) this.onSeek(to);
      else this.onStretch(Math.min(from, to), Math.max(from, to));
      from = null;
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  timeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return share * (this.picture?.seconds ?? 0);
  }

  show(picture, words) {
    Object.assign(this, { picture, stretch: null, at: 0, levels: null });
    if (picture) this.levels = Uint8Array.from(atob(picture.spectrogram), (character) => character.charCodeAt(0));
    this.words.replaceChildren(...(picture ? words.map((word, number) => this.button(word, number)) : []));
    this.draw();
  }

  button(word, number) {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    button.textContent = word.word;
    button.dataset.number = number;
    button.style.left = `${(100 * word.start) / this.picture.seconds}%`;
    button.style.top = `${1.1 * (number % LANES)}rem`;
    button.addEventListener("click", () => this.onStretch(word.start, word.end, number));
    return button;
  }

  mark(stretch, number) {
    this.stretch = stretch;
    for (const button of this.words.children) button.toggleAttribute("aria-current", Number(button.dataset.number) === number);
    this.draw();
  }

  draw() {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.max(1, width * scale);
    this.canvas.height = Math.max(1, height * scale);
    if (!this.picture) return;
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(this.canvas);
    this.drawSpectrogram(context, width, height * WAVE, height * (1 - WAVE));
    this.drawWave(context, width, height * WAVE, style.getPropertyValue("color"));
    const place = (seconds) => (seconds / this.picture.seconds) * width;
    if (this.stretch) {
      context.fillStyle = "#4d8df044";
      context.fillRect(place(this.stretch[0]), 0, Math.max(2, place(this.stretch[1] - this.stretch[0])), height);
    }
    context.fillStyle = "#e0503c";
    context.fillRect(place(this.at), 0, 2, height);
  }

  drawWave(context, width, height, color) {
    const { peaks } = this.picture;
    const columns = peaks.length / 2;
    context.fillStyle = color;
    for (let column = 0; column < columns; column += 1) {
      const [low, high] = [peaks[2 * column], peaks[2 * column + 1]];
      const top = (height / 2) * (1 - high / 127);
      context.fillRect((column / columns) * width, top, Math.max(0.7, width / columns), Math.max(0.7, ((high - low) / 127) * (height / 2)));
    }
  }

  drawSpectrogram(context, width, top, height) {
    const { bands } = this.picture;
    const columns = Math.floor(this.levels.length / bands);
    if (!columns) return;
    const image = new ImageData(columns, bands);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    for (let column = 0; column < columns; column += 1) {
      for (let band = 0; band < bands; band += 1) {
        const level = this.levels[column * bands + band] / 255;
        const at = 4 * ((bands - 1 - band) * columns + column);
        const shade = dark ? [90 + 165 * level, 60 + 180 * level, 220 - 60 * level] : [70 - 50 * level, 90 - 60 * level, 190 - 60 * level];
        image.data.set([...shade, 255 * level ** 1.5], at);
      }
    }
    const small = new OffscreenCanvas(columns, bands);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, top, width, height);
  }
}
