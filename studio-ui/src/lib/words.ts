// Every visible word, in both languages. The English file names the keys; the compiler refuses a Chinese one that lacks any.
import en from "../words/en.json";
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
  return key in en ? t(key as Key) : String(value ?? "");
}
