// What the page asks of the server over HTTP.
import { type Failure, heardAt, type Job, type Kept, type Restored, studio, tell } from "./state.svelte";
import { t } from "./words";

export class Refused extends Error {
  constructor(
    public failure: Failure,
    public status: number,
  ) {
    super(failure.what);
  }
}

async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const json = body !== undefined && !(body instanceof Blob);
  const type: Record<string, string> = json || method === "POST" ? { "content-type": "application/json" } : {};
  let answer: Response;
  try {
    answer = await fetch(`/api${path}`, {
      method,
      headers: { ...type, ...headers },
      body: json ? JSON.stringify(body) : ((body as Blob | undefined) ?? (method === "POST" ? "{}" : null)),
    });
  } catch {
    studio.online = false;
    throw new Refused({ what: "", where: "", fix: "", code: 0 }, 0);
  }
  if (!answer.ok) {
    const said = (await answer.json().catch(() => null)) as { error?: Failure } | null;
    throw new Refused(said?.error ?? { what: answer.statusText, where: "", fix: "", code: 1 }, answer.status);
  }
  return (await answer.json()) as T;
}

export const get = <T>(path: string) => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown) => ask<T>("POST", path, body);
export const remove = (path: string) => ask<object>("DELETE", path);
export const put = <T>(path: string, body: Blob, name: string) =>
  ask<T>("PUT", path, body, {
    "content-type": name.toLowerCase().endsWith(".zip") ? "application/zip" : "application/octet-stream",
    "x-name": encodeURIComponent(name),
  });

/** Runs what may be refused; the refusal is shown, and undefined given back. where: of what it is, where the refusal does not say. */
export async function trying<T>(work: Promise<T>, where = ""): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status) studio.failure = { ...error.failure, where: error.failure.where || where };
    else tell(t("offline"));
    return undefined;
  }
}

const turns = new Map<string, number>();

/** What `work` brings; undefined where something newer was asked under the same key meanwhile. */
export async function newest<T>(key: string, work: Promise<T>): Promise<T | undefined> {
  const mine = (turns.get(key) ?? 0) + 1;
  turns.set(key, mine);
  const found = await work;
  return turns.get(key) === mine ? found : undefined;
}

/** The command that does the same; undefined while a form is not whole, which is nothing to complain of. */
export function commandOf(key: string, body: object): Promise<string | undefined> {
  const said = post<{ command: string }>("/command", body).then(
    (found) => found.command,
    (error: unknown) => {
      if (!(error instanceof Refused)) throw error;
      return undefined;
    },
  );
  return newest(`command ${key}`, said);
}

let last = { wish: "", at: -Infinity };

/** Begins a job. The second of a double click begins nothing. */
export async function wish(body: Record<string, unknown>): Promise<Job | undefined> {
  const [asked, now] = [JSON.stringify(body), performance.now()];
  if (asked === last.wish && now - last.at < 1000) return undefined;
  last = { wish: asked, at: now };
  const job = await trying(post<Job>("/jobs", body));
  if (!job) last.at = -Infinity;
  return job;
}

export async function refresh(): Promise<void> {
  type State = Pick<typeof studio, "models" | "datasets" | "recipes" | "jobs">;
  const began = performance.now();
  const state = await get<State>("/state");
  const old = (job: Job) => (heardAt.get(job.id) ?? 0) < began; // what the socket told meanwhile is newer
  state.jobs = [...state.jobs.filter(old), ...studio.jobs.filter((job) => !old(job))];
  Object.assign(studio, state, { online: true, ready: true });
  if (!studio.models.some((m) => m.id === studio.model))
    studio.model = studio.models.find((m) => m.kind === "stylegan2")?.id ?? "";
  await refreshFiles();
}

export async function refreshFiles(): Promise<void> {
  const [sketch, reference] = await Promise.all([
    get<Kept[]>("/files?role=sketch"),
    get<Kept[]>("/files?role=reference"),
  ]);
  studio.files = { sketch, reference };
}

export async function keep(role: "sketch" | "reference" | "photo", file: Blob, name: string): Promise<Kept | undefined> {
  const kept = await trying(put<Kept>(`/files?role=${role}`, file, name), name);
  if (kept) await refreshFiles();
  return kept;
}

export const restore = (file: Blob) => put<Restored>("/restore", file, "dropped.png");
