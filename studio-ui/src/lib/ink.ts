// The drawing sheet: what was done is a list, so that each step can be taken back; the picture is what the list paints on white.
export const SIDE = 512;
const MOST = 100;

export type Stroke = { kind: "stroke"; points: [number, number][]; width: number; erase: boolean; mirror: boolean };
type Step = Stroke | { kind: "picture"; image: CanvasImageSource; w: number; h: number } | { kind: "clear" };

function path(ctx: CanvasRenderingContext2D, points: [number, number][]): void {
  const [first, ...rest] = points;
  if (!first) return;
  ctx.beginPath();
  ctx.moveTo(...first);
  if (!rest.length) ctx.lineTo(first[0] + 0.01, first[1]);
  for (let i = 0; i < rest.length; i++) {
    const [x, y] = rest[i] as [number, number];
    const next = rest[i + 1];
    if (next) ctx.quadraticCurveTo(x, y, (x + next[0]) / 2, (y + next[1]) / 2);
    else ctx.lineTo(x, y);
  }
  ctx.stroke();
}

export class Sheet {
  base = new OffscreenCanvas(SIDE, SIDE);
  steps: Step[] = [];
  undone: Step[] = [];

  constructor() {
    this.white(this.base.getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D);
  }

  private white(ctx: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D): void {
    ctx.fillStyle = "#fff";
    ctx.fillRect(0, 0, SIDE, SIDE);
  }

  apply(ctx: CanvasRenderingContext2D, step: Step): void {
    if (step.kind === "clear") return this.white(ctx);
    if (step.kind === "picture") {
      this.white(ctx);
      const scale = Math.min(SIDE / step.w, SIDE / step.h);
      const [w, h] = [step.w * scale, step.h * scale];
      ctx.drawImage(step.image, (SIDE - w) / 2, (SIDE - h) / 2, w, h);
      return;
    }
    ctx.lineCap = ctx.lineJoin = "round";
    ctx.lineWidth = step.width;
    ctx.strokeStyle = step.erase ? "#fff" : "#111";
    path(ctx, step.points);
    if (step.mirror) path(ctx, step.points.map(([x, y]): [number, number] => [SIDE - x, y]));
  }

  draw(ctx: CanvasRenderingContext2D): void {
    ctx.drawImage(this.base, 0, 0);
    for (const step of this.steps) this.apply(ctx, step);
  }

  add(step: Step): void {
    this.steps.push(step);
    this.undone = [];
    while (this.steps.length > MOST) {
      const oldest = this.steps.shift() as Step;
      this.apply(this.base.getContext("2d") as unknown as CanvasRenderingContext2D, oldest);
    }
  }

  undo(): boolean {
    const step = this.steps.pop();
    if (step) this.undone.push(step);
    return step !== undefined;
  }

  redo(): boolean {
    const step = this.undone.pop();
    if (step) this.steps.push(step);
    return step !== undefined;
  }

  get empty(): boolean {
    const last = this.steps.at(-1);
    return last === undefined ? !this.inked : last.kind === "clear";
  }

  private get inked(): boolean {
    return inked(this.base.getContext("2d") as OffscreenCanvasRenderingContext2D);
  }
}

/** Whether a line is to be seen. */
export function inked(ctx: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D): boolean {
  return ctx.getImageData(0, 0, SIDE, SIDE).data.some((value, i) => i % 4 !== 3 && value < 200);
}
