// A head drawn as lianpu.render draws it (camera.py, surface.py, views.py, frames.still): the grid mesh of its depth map is moved and
// drawn with a pixel between any two, each pixel looks up where it lay in the picture, and takes in its neighbours. On the processor, so
// that it needs no graphics card: tests/studio/test_browser.py compares it with the server's picture.

export type Light = { x: number; y: number; ambient: number; diffuse: number };
export type View = { yaw: number; pitch: number; roll: number };
export type Shown = "picture" | "albedo" | "normal" | "depth" | "shading";
export const SHOWN: Shown[] = ["picture", "albedo", "normal", "depth", "shading"];
type Camera = { fov: number; near: number; far: number; ground: number };
const SLIVER = 1e-5; // square pixels below which a triangle is not drawn

export class Head {
  private readonly depth: Float32Array; // size x size
  private readonly albedo: Float32Array; // size x size x 3, in [-1, 1]
  private readonly moving: Float32Array; // size x size: 1 for what moves with the head
  private readonly cover: Float32Array | null = null; // size x size: how much of each pixel is head, where it stands before a ground
  private readonly ground: Float32Array | null = null; // size x size x 3, which stays
  private readonly normals: Float32Array; // size x size x 3
  private readonly texture: Float32Array;
  private painted = "";

  /** maps: depth, albedo and what moves, and of a head before a ground normals, cover and ground, one after the other, as little-endian float32. */
  constructor(
    readonly size: number,
    private readonly camera: Camera,
    maps: ArrayBuffer,
  ) {
    const n = size * size;
    this.depth = new Float32Array(maps, 0, n);
    this.albedo = new Float32Array(maps, 4 * n, 3 * n);
    this.moving = new Float32Array(maps, 16 * n, n);
    const apart = maps.byteLength > 20 * n;
    if (apart) {
      this.cover = new Float32Array(maps, 32 * n, n);
      this.ground = new Float32Array(maps, 36 * n, 3 * n);
    }
    this.texture = new Float32Array(3 * n);
    this.normals = apart ? new Float32Array(maps, 20 * n, 3 * n) : this.slopes();
  }

  private focal(size: number): number {
    return (size - 1) / 2 / Math.tan((this.camera.fov * Math.PI) / 360);
  }

  /** The point before the camera of a pixel. */
  private point(row: number, column: number): [number, number, number] {
    const [middle, focal] = [(this.size - 1) / 2, this.focal(this.size)];
    const z = this.depth[row * this.size + column] as number;
    return [((column - middle) / focal) * z, ((row - middle) / focal) * z, z];
  }

  /** Unit normals: x right, y down, z towards the viewer; at the border those of the nearest pixel inside. */
  private slopes(): Float32Array {
    const { size } = this;
    const found = new Float32Array(3 * size * size);
    const inside = (k: number) => Math.max(1, Math.min(size - 2, k));
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) {
        const [r, c] = [inside(row), inside(column)];
        const [up, low, left, right] = [this.point(r - 1, c), this.point(r + 1, c), this.point(r, c - 1), this.point(r, c + 1)];
        const [a, b, e] = [low[0] - up[0], low[1] - up[1], low[2] - up[2]];
        const [f, g, h] = [right[0] - left[0], right[1] - left[1], right[2] - left[2]];
        const [x, y, z] = [b * h - e * g, e * f - a * h, -(a * g - b * f)];
        const length = Math.hypot(x, y, z) || 1;
        found.set([x / length, y / length, z / length], 3 * (row * size + column));
      }
    return found;
  }

  /** What is painted on the head: its picture in a light, or a map. */
  private paint(shown: Shown, light: Light): void {
    const key = shown + JSON.stringify(light);
    if (key === this.painted) return;
    this.painted = key;
    const { texture, albedo, normals, depth } = this;
    const { near, far } = this.camera;
    const length = Math.hypot(light.x, light.y, 1);
    const [lx, ly, lz] = [light.x / length, light.y / length, 1 / length];
    for (let i = 0, k = 0; i < depth.length; i++, k += 3) {
      const [x, y, z] = [normals[k] as number, normals[k + 1] as number, normals[k + 2] as number];
      const shading = light.ambient + light.diffuse * Math.max(0, x * lx + y * ly + z * lz);
      for (let j = 0; j < 3; j++) {
        const own = albedo[k + j] as number;
        if (shown === "picture") texture[k + j] = (own / 2 + 0.5) * shading * 2 - 1;
        else if (shown === "albedo") texture[k + j] = own;
        else if (shown === "shading") texture[k + j] = shading - 1;
        else if (shown === "depth") texture[k + j] = Math.max(-1, Math.min(1, 1 - (2 * ((depth[i] as number) - near)) / (far - near)));
        else texture[k + j] = j === 1 ? -y : j === 0 ? x : z;
      }
    }
  }

  /** The picture of the head from a view, side x side. */
  draw(side: number, view: View, light: Light, shown: Shown): ImageData {
    this.paint(shown, light);
    const fine = 2 * side - 1;
    const { near, u, v } = this.seen(fine, view);
    return this.averaged(this.looked(fine, near, u, v, shown), side);
  }

  /** For each pixel of `fine` x `fine` the nearest point of the mesh: 1 / z, 0 where there is none, and where it lies in the picture. */
  private seen(fine: number, view: View): { near: Float64Array; u: Float32Array; v: Float32Array } {
    const { size } = this;
    const corners = this.moved(fine, view); // x, y, 1 / z, canonical z / z of each point
    const near = new Float64Array(fine * fine);
    const [u, v] = [new Float32Array(fine * fine), new Float32Array(fine * fine)];
    const slack = fine * 1.2e-7;
    const triangle = (a: number, b: number, c: number) => {
      const [x0, y0, i0, q0] = [corners[4 * a]!, corners[4 * a + 1]!, corners[4 * a + 2]!, corners[4 * a + 3]!];
      const [x1, y1, i1, q1] = [corners[4 * b]!, corners[4 * b + 1]!, corners[4 * b + 2]!, corners[4 * b + 3]!];
      const [x2, y2, i2, q2] = [corners[4 * c]!, corners[4 * c + 1]!, corners[4 * c + 2]!, corners[4 * c + 3]!];
      const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
      if (Math.abs(area) <= SLIVER) return;
      const left = Math.max(0, Math.ceil(Math.min(x0, x1, x2) - slack));
      const right = Math.min(fine - 1, Math.floor(Math.max(x0, x1, x2) + slack));
      const top = Math.max(0, Math.ceil(Math.min(y0, y1, y2) - slack));
      const bottom = Math.min(fine - 1, Math.floor(Math.max(y0, y1, y2) + slack));
      const [u0, u1, u2] = [a % size, b % size, c % size];
      const [v0, v1, v2] = [(a - u0) / size, (b - u1) / size, (c - u2) / size];
      // the corners' weights are linear in x; of a row only those pixels are visited where none is negative
      const [s0, s1] = [(y1 - y2) / area, (y2 - y0) / area];
      const s2 = -s0 - s1;
      for (let y = top; y <= bottom; y++) {
        const p0 = ((x2 - x1) * (y - y1) + (y2 - y1) * x1) / area;
        const p1 = ((x0 - x2) * (y - y2) + (y0 - y2) * x2) / area;
        const p2 = 1 - p0 - p1;
        let first = left;
        let last = right;
        if (s0 > 0) first = Math.max(first, Math.ceil((-slack - p0) / s0));
        else if (s0 < 0) last = Math.min(last, Math.floor((-slack - p0) / s0));
        else if (p0 < -slack) continue;
        if (s1 > 0) first = Math.max(first, Math.ceil((-slack - p1) / s1));
        else if (s1 < 0) last = Math.min(last, Math.floor((-slack - p1) / s1));
        else if (p1 < -slack) continue;
        if (s2 > 0) first = Math.max(first, Math.ceil((-slack - p2) / s2));
        else if (s2 < 0) last = Math.min(last, Math.floor((-slack - p2) / s2));
        else if (p2 < -slack) continue;
        for (let x = first; x <= last; x++) {
          const w0 = p0 + s0 * x;
          const w1 = p1 + s1 * x;
          const w2 = 1 - w0 - w1;
          const closeness = w0 * i0 + w1 * i1 + w2 * i2;
          const pixel = y * fine + x;
          if (closeness <= near[pixel]!) continue;
          near[pixel] = closeness;
          const q = w0 * q0 + w1 * q1 + w2 * q2;
          u[pixel] = (w0 * q0 * u0 + w1 * q1 * u1 + w2 * q2 * u2) / q;
          v[pixel] = (w0 * q0 * v0 + w1 * q1 * v1 + w2 * q2 * v2) / q;
        }
      }
    };
    for (let row = 0; row + 1 < size; row++)
      for (let column = 0; column + 1 < size; column++) {
        const a = row * size + column; // a b over c d
        triangle(a, a + size, a + 1);
        triangle(a + 1, a + size, a + size + 1);
      }
    return { near, u, v };
  }

  /** The mesh's points on the picture: column, row, 1 / z, and their depth before they were moved over z. */
  private moved(fine: number, view: View): Float64Array {
    const { size, depth, moving } = this;
    const [pitch, yaw, roll] = [view.pitch, view.yaw, view.roll].map((angle) => (angle * Math.PI) / 180) as [number, number, number];
    const [cx, sx, cy, sy, cz, sz] = [Math.cos(pitch), Math.sin(pitch), Math.cos(yaw), Math.sin(yaw), Math.cos(roll), Math.sin(roll)];
    const [focal, middle] = [this.focal(fine), (fine - 1) / 2];
    const found = new Float64Array(4 * size * size);
    for (let row = 0, i = 0; row < size; row++)
      for (let column = 0; column < size; column++, i++) {
        const [x, y, z] = this.point(row, column);
        const [py, pz] = [cx * y - sx * (z - 1), sx * y + cx * (z - 1)]; // pitch, about (0, 0, 1)
        const [qx, qz] = [cy * x - sy * pz, sy * x + cy * pz]; // yaw
        const t = moving[i] as number;
        const nx = t * (cz * qx - sz * py) + (1 - t) * x; // roll; and what stays
        const ny = t * (sz * qx + cz * py) + (1 - t) * y;
        const nz = t * (qz + 1) + (1 - t) * z;
        found[4 * i] = (nx / nz) * focal + middle;
        found[4 * i + 1] = (ny / nz) * focal + middle;
        found[4 * i + 2] = 1 / nz;
        found[4 * i + 3] = (depth[i] as number) / nz;
      }
    return found;
  }

  /** The texture at (u, v), between its pixels; the ground where nothing is. */
  private looked(fine: number, near: Float64Array, u: Float32Array, v: Float32Array, shown: Shown): Float32Array {
    const { size, texture, cover } = this;
    const last = size - 1;
    const found = this.behind(fine, shown);
    for (let pixel = 0; pixel < near.length; pixel++) {
      if (!near[pixel]) continue;
      const [x, y] = [Math.max(0, Math.min(last, u[pixel]!)), Math.max(0, Math.min(last, v[pixel]!))];
      const share = cover ? this.between(cover, 1, 0, x, y) : 1;
      if (!share) continue;
      for (let j = 0; j < 3; j++) {
        const k = 3 * pixel + j;
        found[k] = share * this.between(texture, 3, j, x, y) + (1 - share) * found[k]!;
      }
    }
    return found;
  }

  /** Number j of the `count` of each pixel of a map, at a place between pixels. */
  private between(map: Float32Array, count: number, j: number, x: number, y: number): number {
    const { size } = this;
    const [left, top] = [Math.min(size - 2, Math.floor(x)), Math.min(size - 2, Math.floor(y))];
    const [across, down] = [x - left, y - top];
    const at = count * (top * size + left) + j;
    const below = at + count * size;
    const high = map[at]! * (1 - across) + map[at + count]! * across;
    const low = map[below]! * (1 - across) + map[below + count]! * across;
    return high * (1 - down) + low * down;
  }

  /** What is seen where the head is not, `fine` x `fine`. */
  private behind(fine: number, shown: Shown): Float32Array {
    const found = new Float32Array(3 * fine * fine);
    const { ground, size } = this;
    if (!ground) return found.fill(this.camera.ground);
    if (shown === "normal") for (let k = 2; k < found.length; k += 3) found[k] = 1;
    else if (shown === "depth") found.fill(-1);
    else if (shown !== "shading") {
      const step = (size - 1) / (fine - 1);
      for (let y = 0, k = 0; y < fine; y++)
        for (let x = 0; x < fine; x++) for (let j = 0; j < 3; j++, k++) found[k] = this.between(ground, 3, j, x * step, y * step);
    }
    return found;
  }

  /** Every other pixel with its neighbours, 1 2 1 across and down, as 8-bit colours. */
  private averaged(fine: Float32Array, side: number): ImageData {
    const wide = 2 * side - 1;
    const half = new Float32Array(3 * wide * side); // across
    const edge = (k: number) => Math.max(0, Math.min(wide - 1, k));
    for (let row = 0; row < wide; row++)
      for (let column = 0; column < side; column++) {
        const [a, b, c] = [edge(2 * column - 1), 2 * column, edge(2 * column + 1)].map((k) => 3 * (row * wide + k)) as [number, number, number];
        for (let j = 0; j < 3; j++) half[3 * (row * side + column) + j] = (fine[a + j]! + 2 * fine[b + j]! + fine[c + j]!) / 4;
      }
    const made = new ImageData(side, side);
    for (let row = 0; row < side; row++) {
      const [a, b, c] = [edge(2 * row - 1), 2 * row, edge(2 * row + 1)].map((k) => 3 * k * side) as [number, number, number];
      for (let k = 0; k < 3 * side; k++) {
        const mean = (half[a + k]! + 2 * half[b + k]! + half[c + k]!) / 4;
        made.data[4 * row * side + 4 * Math.floor(k / 3) + (k % 3)] = (mean + 1) * 127.5;
      }
      for (let column = 0; column < side; column++) made.data[4 * (row * side + column) + 3] = 255;
    }
    return made;
  }
}
