// Scrolling through more pixels than an element may have: browsers end at 17 million (Firefox) or 33 million (Chromium).
//
// The element is as high as browsers bear, and what is seen in it is moved along. Small steps are one to one; a large
// one, as by the scroll bar, goes as far in the content as in the element. Near both ends all is one to one.

export const TALLEST = 12_000_000; // pixels
const EDGE = 100_000; // pixels at each end that are one to one
const FAR = 8000; // pixels: a longer step is one of the scroll bar, of which a pixel is more than that

/**
 * The place of the screen in `height` pixels of content, which an element of `element` pixels shows: the top of the screen
 * is at `position` in the content and at `scroll` in the element.
 */
export class TallScroll {
  constructor(height) {
    this.height = height;
    this.element = Math.min(height, TALLEST);
    this.shift = 0; // position - scroll
    this.last = 0;
  }

  /** The position for a scroll, by itself. */
  positionOf(scroll) {
    const { height, element } = this;
    if (height === element || scroll <= EDGE) return scroll;
    if (scroll >= element - EDGE) return height - (element - scroll);
    return EDGE + ((scroll - EDGE) * (height - 2 * EDGE)) / (element - 2 * EDGE);
  }

  /** The scroll for a position, by itself. */
  scrollOf(position) {
    const { height, element } = this;
    if (height === element || position <= EDGE) return position;
    if (position >= height - EDGE) return element - (height - position);
    return EDGE + ((position - EDGE) * (element - 2 * EDGE)) / (height - 2 * EDGE);
  }

  /**
   * One has scrolled: the {position}, and the `scroll` to go to so that there is room for going on, or null.
   */
  moved(scroll) {
    const isFar = Math.abs(scroll - this.last) > FAR;
    this.last = scroll;
    if (isFar || this.height === this.element) this.shift = this.positionOf(scroll) - scroll;
    const position = scroll + this.shift;
    const isAtEdge = (at, size) => at < EDGE || at > size - EDGE;
    const right = this.scrollOf(position);
    if (Math.abs(right - scroll) < 1 || !(isAtEdge(scroll, this.element) || isAtEdge(position, this.height))) {
      return { position, scroll: null };
    }
    return { position, scroll: this.goTo(position) };
  }

  /** Be at a position: the scroll to go to. */
  goTo(position) {
    this.last = Math.round(this.scrollOf(position));
    this.shift = position - this.last;
    return this.last;
  }
}
