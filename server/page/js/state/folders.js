// The folders of /api/facets, which name their parents by position.

const NAMES = new Intl.Collator("en", { numeric: true }); // 2 before 10

/** @typedef {{value: string, photos: number, name?: string, depth?: number, parent?: number | null}} Folder */

/** The positions of the folders in each folder, by its position and in the order of names; null for those in none. */
export function childrenOf(/** @type {Folder[]} */ folders) {
  /** @type {Map<number | null, number[]>} */
  const children = new Map();
  for (const [at, { parent = null }] of folders.entries()) {
    const siblings = children.get(parent);
    if (siblings) siblings.push(at);
    else children.set(parent, [at]);
  }
  for (const some of children.values()) some.sort((one, other) => NAMES.compare(folders[one].value, folders[other].value));
  return children;
}

/** The name of a folder beside its siblings: what its path has more than that of its parent. */
export function lastPart(/** @type {Folder} */ folder, /** @type {Folder[]} */ folders) {
  if (folder.name) return folder.name;
  const above = folder.parent == null ? null : folders[folder.parent].value;
  return above !== null && holds(above, folder.value) ? folder.value.slice(above.length + 1) : folder.value;
}

/** Whether a folder has another below it. */
export const holds = (/** @type {string} */ folder, /** @type {string} */ other) => other.startsWith(`${folder}/`);
