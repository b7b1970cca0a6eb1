// Swipes of one finger over the photo.

const SWIPE = 50; // pixels

/** To the sides calls `step(1 or -1)`, down `close()`; only while `mayBegin()`. */
export function mountSwipes(dialog, { mayBegin, step, close }) {
  let start = null;

  dialog.addEventListener("touchstart", (event) => {
    const [finger, more] = event.touches;
    const isOn = !more && event.target.closest(".stage") && visualViewport.scale === 1 && mayBegin();
    start = isOn ? { x: finger.clientX, y: finger.clientY, isAtTop: dialog.scrollTop === 0 } : null;
  }, { passive: true });
  dialog.addEventListener("touchend", (event) => {
    if (!start) return;
    const x = event.changedTouches[0].clientX - start.x;
    const y = event.changedTouches[0].clientY - start.y;
    const { isAtTop } = start;
    start = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
    else if (isAtTop && y > 2 * SWIPE && y > 2 * Math.abs(x)) close();
  }, { passive: true });
}
