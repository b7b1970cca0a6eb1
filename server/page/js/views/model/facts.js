// What the model of the library is, and the other models at hand.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask } from "../../api/client.js";

/** Shows the models in an element. */
export async function mountFacts(place) {
  try {
    const [status, known] = await Promise.all([ask("api/status"), ask("api/models")]);
    render(facts(status, known.models), place);
  } catch (error) {
    render(html`<p class="trouble" role="alert">${error.message}</p>`, place);
  }
}

function facts(status, models) {
  const used = models.find((model) => model.name === status.model);
  const others = models.filter((model) => model !== used);
  return html`
    ${used ? html`<h2>${called(used, status)}</h2>${aboutModel(used)}` : nothing}
    ${status.model === null
      ? html`<p>Nothing is indexed yet, so this library has no model. <code>twobranch index PHOTOS</code> chooses the shipped
          one, <code>--model</code> another.</p>`
      : nothing}
    ${others.length
      ? html`<details>
          <summary>Other models at hand (${others.length})</summary>
          ${others.map((model) => html`<h3>${model.name}</h3>${aboutModel(model)}`)}
        </details>`
      : nothing}
    <details id="confidence">
      <summary>What the confidence of a hit means</summary>
      <p>A score is a cosine, and it has another level for every query: 0.3 can be a sure hit for one sentence and chance for
        another. <em>Confidence</em> is the probability that a hit really matches. It is learnt from the dev photos of the
        model's training, and made of the score, how high the query scores with training photos that have nothing to do with
        it, how many photos are searched, and how long the sentence is. It never contradicts the order of the hits.</p>
      <p>It supposes that half of the questions have no answer here, and knows nothing of what the dev photos never showed. Common
        single words ("dog") are under-rated, and where near-answers abound a missing photo is rarely noticed. A model trained
        with fewer than 50 dev photos has no confidence. How well it keeps its word with the captions of this library is
        counted below, under <a href="#explorer">Query by query</a>.</p>
    </details>`;
}

const called = (model, status) => `${model.name}${status.tta ? ", two views of each photo" : ""}${status.int8 ? ", in 8 bits" : ""}`;

function aboutModel(model) {
  if (model.folder === null)
    return html`<p>Its folder is gone: what is indexed can still be searched with photos and evaluated, but what it was
      trained with is not known any more.</p>`;
  const percent = (value) => `${value.toFixed(1)}%`;
  return html`<dl class="facts">
    <div><dt>Backbone</dt><dd>${model.backbone}</dd></div>
    <div><dt>Preset</dt><dd>${model.preset}</dd></div>
    <div><dt>Vectors</dt><dd>${model.dim} numbers</dd></div>
    <div><dt>Trained with</dt><dd>${model.corpus}</dd></div>
    <div><dt>R@1 on its own dev photos</dt><dd>captions → photos ${percent(model["text_to_image_R@1"])},
      photos → captions ${percent(model["image_to_text_R@1"])}</dd></div>
    <div><dt>rsum there</dt><dd>${model.rsum.toFixed(1)}</dd></div>
  </dl>`;
}
