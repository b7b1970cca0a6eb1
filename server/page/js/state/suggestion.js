// What choosing a suggestion makes of the words that were typed and of the filters.

const MANY = new Set(["path", "camera", "format", "album", "place"]);

/**
 * The changes of a state by a suggestion: its filter, and the words without those that it stands for.
 * @param {{q: string, [name: string]: any}} state
 * @param {{kind: string, label: string, filter: Record<string, string>}} suggestion
 */
export function chosen(state, { kind, label, filter }) {
  if (kind === "recent") return { q: filter.q };
  if (kind === "word") return { q: `${rest(state.q, label)} ${filter.q}`.trim() };
  /** @type {Record<string, any>} */
  const changes = { q: rest(state.q, label) };
  for (const [name, value] of Object.entries(filter)) {
    changes[name] = MANY.has(name) ? [...state[name].filter((one) => one !== value), value] : value;
  }
  return changes;
}

/**
 * The words before those at the end that a label has: "dog par" with "Paris, France" is "dog". All stays where no
 * word at the end begins one of the label.
 */
export function rest(text, label) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  const name = folded(label);
  for (let at = 0; at < words.length; at++) {
    if (isIn(folded(words.slice(at).join(" ")), name)) return words.slice(0, at).join(" ");
  }
  return words.join(" ");
}

/** Whether a label has a text at the beginning of a word. */
const isIn = (text, label) => (` ${label.replace(/[^\p{L}\p{N}]+/gu, " ")}`).includes(` ${text.replace(/[^\p{L}\p{N}]+/gu, " ").trim()}`);

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
