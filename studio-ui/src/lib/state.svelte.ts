// What all pages share. Nothing here is lost with a refresh: jobs, models and files are read from the server, choices from storage.
import type { Lang } from "./words";

export type Failure = { what: string; where: string; fix: string; code: number };
export type Subject = {
  seed: number;
  label?: string | null;
  truncation: number;
  mix_seed?: number | null;
  mix_from?: number | null;
  morph_seed?: number | null;
  morph?: number | null;
};
export type Job = {
  id: string;
  kind: string;
  state: "queued" | "running" | "done" | "failed" | "stopped" | "interrupted";
  created: number;
  started?: number;
  done: number;
  total: number;
  what?: string;
  command: string;
  said: string[];
  error?: Failure | null;
  wish: Record<string, unknown>;
  result?: Record<string, unknown>;
  status?: Record<string, number | string | null>;
};
export type Model = {
  id: string;
  title: string;
  kind: string;
  classes: string[];
  resolution?: number;
  layers?: number;
  images?: number;
};
export type DataSet = {
  id: string;
  title: string;
  size: number;
  pictures: number;
  groups: number;
  colours: Record<string, number>;
  splits: Record<string, { pictures: number }>;
  rights: { status: string; licences?: Record<string, unknown> };
};
export type Recipe = {
  name: string;
  about: string;
  cost: string;
  score: string;
  resolution: number;
  augment: string;
  kimg: number;
};
export type Kept = { id: string; role: string; name: string; sha256: string; starter?: boolean; notes: string[] };
export type Page = "create" | "sketch" | "head" | "library" | "data" | "train";
export const PAGES: Page[] = ["create", "sketch", "head", "library", "data", "train"];

/** Where what a verb makes was made. */
const MADE_ON: Record<string, Page> = { generate: "create", translate: "sketch", lift: "head" };
export const pageOf = (verb: unknown) => (Object.hasOwn(MADE_ON, String(verb)) ? MADE_ON[String(verb)] : undefined);

/** What a dropped picture brings back. */
export type Restored = {
  recipe: Record<string, any>;
  same: boolean | null;
  why?: string[] | null;
  model: string | null;
  sketch?: string | null;
  reference?: string | null;
  /** The job that found the face in a photograph. */
  found?: string | null;
  sha256: string | null;
};

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // a browser that keeps nothing forgets the choice with the window
  }
}

const firstPage = location.hash.slice(1) as Page;
export const studio = $state({
  lang: (stored("lang") ?? (navigator.language.startsWith("zh") ? "zh" : "en")) as Lang,
  theme: stored("theme") ?? "",
  page: (PAGES.includes(firstPage) ? firstPage : "create") as Page,
  ready: false,
  online: true,
  models: [] as Model[],
  datasets: [] as DataSet[],
  recipes: [] as Recipe[],
  jobs: [] as Job[],
  files: { sketch: [] as Kept[], reference: [] as Kept[] },
  failure: null as Failure | null,
  toast: "",
  restored: null as Restored | null,
  model: "",
  source: "",
});

/** When each job was last heard of over the socket; Infinity for one that was removed. */
export const heardAt = new Map<string, number>();

let fading: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string): void {
  studio.toast = text;
  clearTimeout(fading);
  fading = setTimeout(() => (studio.toast = ""), 5000);
}

export function go(page: Page): void {
  studio.page = page;
  location.hash = page;
}
