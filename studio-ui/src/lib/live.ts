// One WebSocket: jobs as they go, and pictures painted at once. Of what is asked under one key the server does only the newest.
import { refresh, refreshFiles, Refused } from "./api";
import { type Failure, heardAt, type Job, studio, tell } from "./state.svelte";
import { said } from "./words";

export class Dropped extends Error {}
export type Answer = { head: Record<string, any>; body: Uint8Array<ArrayBuffer> };
type Waiting = { key: string; frame: ArrayBuffer; done: (answer: Answer) => void; failed: (error: Error) => void };

const waiting = new Map<number, Waiting>();
let number = 0;
let socket: WebSocket | null = null;
let pause = 300;

/** An address for a picture that was answered; that of the one it takes the place of is given back. */
export function pictureOf(png: Uint8Array<ArrayBuffer>, old = ""): string {
  if (old) URL.revokeObjectURL(old);
  return URL.createObjectURL(new Blob([png], { type: "image/png" }));
}

/** An address that is not shown any more. */
export function given(back: string): "" {
  if (back) URL.revokeObjectURL(back);
  return "";
}

function pack(head: object, body?: Uint8Array): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const frame = new Uint8Array(4 + text.length + (body?.length ?? 0));
  new DataView(frame.buffer).setUint32(0, text.length);
  frame.set(text, 4);
  if (body) frame.set(body, 4 + text.length);
  return frame.buffer;
}

function heard(event: MessageEvent<ArrayBuffer>): void {
  const length = new DataView(event.data).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(event.data, 4, length))) as Record<string, any>;
  if (head.event === "job") return job(head.job as Job);
  if (head.event === "removed") {
    heardAt.set(String(head.id), Infinity);
    studio.jobs = studio.jobs.filter((j) => j.id !== head.id);
    return;
  }
  if (head.event === "files") return void refreshFiles();
  const asked = waiting.get(head.n as number);
  if (!asked) return;
  waiting.delete(head.n as number);
  if (head.dropped) asked.failed(new Dropped());
  else if (head.ok) asked.done({ head, body: new Uint8Array(event.data, 4 + length) });
  else asked.failed(new Refused(head.error as Failure, 422));
}

function job(news: Job): void {
  heardAt.set(news.id, performance.now());
  const at = studio.jobs.findIndex((j) => j.id === news.id);
  const before = at >= 0 ? studio.jobs[at] : undefined;
  if (at >= 0) studio.jobs[at] = news;
  else studio.jobs.push(news);
  if (news.state === "failed" && before && before.state !== "failed") tell(`${said("job_", news.kind)}: ${said("state_", "failed")}`);
  const ended = news.state !== before?.state && (news.state === "done" || news.state === "stopped");
  if (ended && (news.kind === "build" || news.kind === "train")) void refresh();
}

export function connect(): void {
  socket = new WebSocket(`ws://${location.host}/api/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    pause = 300;
    studio.online = true;
    for (const asked of waiting.values()) socket?.send(asked.frame);
    void refresh().catch(() => (studio.online = false));
  };
  socket.onmessage = heard;
  socket.onclose = () => {
    studio.online = false;
    setTimeout(connect, (pause = Math.min(pause * 1.6, 5000)));
  };
}

/** Asks for a picture at once; rejects with Dropped where something newer was asked under the same key. */
export function live(key: string, ask: object, body?: Uint8Array): Promise<Answer> {
  const n = ++number;
  const frame = pack({ n, key, ask }, body);
  return new Promise((done, failed) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(frame);
    else
      for (const [old, asked] of waiting)
        if (asked.key === key) {
          waiting.delete(old);
          asked.failed(new Dropped());
        }
    waiting.set(n, { key, frame, done, failed });
  });
}
