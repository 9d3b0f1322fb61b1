// Every visible word, in both languages. The English file names the keys; the compiler refuses a Chinese one that lacks any.
import en from "../words/en.json";
import notes from "../words/notes.zh.json";
import zh from "../words/zh.json";
import { studio } from "./state.svelte";

export type Key = keyof typeof en;
export type Lang = "en" | "zh";
const WORDS: Record<Lang, Record<Key, string>> = { en, zh };

/** The word for a key, with {name} filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return WORDS[studio.lang][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** The word for a key that the server's answer makes; the text itself where there is none. Of a dotted name, dots are written _. */
export function said(prefix: string, value: string | null | undefined): string {
  const key = `${prefix}${value ?? ""}`.replaceAll(".", "_");
  return Object.hasOwn(en, key) ? t(key as Key) : String(value ?? "");
}

const NOTES = (notes as [string, string][]).map(([said, zh]) => [new RegExp(`^${said}$`), zh] as const);

function inChinese(said: string): string | null {
  const [pattern, zh] = NOTES.find(([pattern]) => pattern.test(said)) ?? [];
  return pattern && zh ? said.replace(pattern, zh) : null;
}

/** What lianpu itself says of a picture, several things joined by "; ": in Chinese where all are known, else as it is. */
export function noted(text: string): { text: string; lang: Lang } {
  const parts = [inChinese(text)];
  if (parts[0] === null) parts.splice(0, 1, ...text.split("; ").map(inChinese));
  return studio.lang === "en" || parts.includes(null) ? { text, lang: "en" } : { text: parts.join("；"), lang: "zh" };
}
