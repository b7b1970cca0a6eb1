/** The types of what the page uses of lit-html, for the checker of types; browsers never ask for this file. */

export interface TemplateResult {
  strings: TemplateStringsArray;
  values: unknown[];
}

/** A piece of the page; whatever is put into it as text is escaped. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;

/** The same inside an `<svg>`. */
export function svg(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;

/** Show a piece in an element, changing only what has changed. */
export function render(value: unknown, container: HTMLElement | DocumentFragment): unknown;

/** In a template: nothing at all. */
export const nothing: unique symbol;
