// The files of a drop, those in dropped folders included.

const PICTURE = /\.(jpe?g|png|gif|webp|avif|heic|heif|tiff?|bmp|jxl|jp2|dng|cr2|cr3|nef|arw|orf|rw2|raf)$/i;

/** The files that may be photos, by type or name; the server looks inside. */
export const picturesOf = (files) => files.filter(({ type, name }) => type.startsWith("image/") || PICTURE.test(name));

/**
 * All files, in the order of the folders. To be called while the drop is being told: browsers empty it afterwards.
 * @param {DataTransfer} data
 * @returns {Promise<File[]>}
 */
export async function filesOf(data) {
  const entries = [...(data.items ?? [])].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.length || entries.includes(null)) return [...data.files]; // no real drop, or a browser without entries
  return (await Promise.all(entries.map(within))).flat();
}

/** Whether a folder or several files are dropped. */
export function isMany(/** @type {DataTransfer} */ data) {
  return data.files.length > 1 || [...(data.items ?? [])].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
}

async function within(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // browsers give a hundred at a time
    all.push(...some);
  }
  const shown = all.filter(({ name }) => !name.startsWith(".")); // as indexing does
  return (await Promise.all(shown.map(within))).flat();
}
