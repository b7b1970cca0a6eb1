// A picture as the query: dropped anywhere on the page, pasted, or chosen (on a phone, taken). Several that are dropped are
// no query.

/**
 * `take(file)` is called with each picture, `takeAll(data)` with a drop that `isForLibrary(data)` says is not a query.
 * `drop` is shown while something is held over the page.
 * @param {{button: HTMLElement, input: HTMLInputElement, drop: HTMLElement, take: (file: File) => void,
 *   takeAll: (data: DataTransfer) => void, isForLibrary: (data: DataTransfer) => boolean}} options
 */
export function mountPicture({ button, input, drop, take, takeAll, isForLibrary }) {
  let own = false; // a picture of this page is being dragged, perhaps to the desktop

  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });

  addEventListener("paste", (event) => {
    const file = pictureIn(event.clipboardData);
    // Text goes where the caret is; spreadsheets and word processors add a picture of it.
    if (!file || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    take(file);
  });

  addEventListener("dragstart", () => (own = true));
  addEventListener("dragend", () => (own = false));
  addEventListener("dragover", (event) => {
    if (own || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // else the browser opens the file instead
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true; // out of the window
  });
  addEventListener("drop", (event) => {
    drop.hidden = true;
    if (own || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    const file = pictureIn(event.dataTransfer);
    if (isForLibrary(event.dataTransfer)) takeAll(event.dataTransfer);
    else if (file) take(file);
  });
}

/** The first picture of a drop or paste, or else its first file: the server says what is wrong with that. */
function pictureIn(data) {
  const files = [...(data?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}
