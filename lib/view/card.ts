// A feature on a card: when it fires, how often, and the texts on which it fires most, each token shaded by its share
// of the feature's maximum.
import type { FeatureCard, FeatureContext } from './data.ts'
import { escapeHtml, escapeToken } from './escape.ts'
import { brief, isFigure, percent, type Figure } from './number.ts'
import { tag } from './tag.ts'

/** Steps of shading, classes `a1` … `a10`; a token with no activation has none. */
export const SHADES = 10

/** The card as an `<article>`; `ink` is the class of its layer's colour. */
export function featureCard(card: FeatureCard, ink: string): string {
  const fact = (name: string, figure: string) => tag('div', {}, tag('dt', {}, name), tag('dd', {}, escapeHtml(figure)))
  const title = tag('h3', {}, tag('span', { class: `chip ${ink}` }, `layer ${card.layer}`), ` feature ${card.feature}`)
  const contexts = card.contexts.map(context => tag('li', {}, contextLine(context, card.maximum)))
  return tag('article', { class: 'card', 'data-layer': card.layer },
    tag('header', {}, title, tag('dl', {}, fact('fires on', density(card.density)), fact('maximum', brief(card.maximum)))),
    tag('p', { class: 'why' }, reason(card.why)),
    contexts.length > 0 ? tag('ol', { class: 'contexts' }, contexts) : tag('p', { class: 'empty' }, 'No context was kept.'))
}

/** 0 for a token on which the feature is silent, else 1 … {@link SHADES} by value / maximum. */
export function shade(value: Figure, maximum: Figure): number {
  if (!isFigure(value) || !(value > 0)) return 0
  // Without a usable maximum, what fires still shows, at full shade.
  if (!isFigure(maximum) || !(maximum > 0)) return SHADES
  return Math.min(SHADES, Math.max(1, Math.ceil(SHADES * value / maximum)))
}

// Tokens in a reason stand between backticks: shown as tokens are, or a leading space would vanish.
function reason(why: string): string {
  return why.split(/`([^`]+)`/).map((part, i) => i % 2 ? tag('code', {}, escapeToken(part)) : escapeHtml(part)).join('')
}

function density(value: Figure): string {
  if (!isFigure(value)) return percent(value)
  const share = value * 100
  return `${share === 0 || share >= 10 ? percent(value) : `${brief(share)}%`} of tokens`
}

// Silent tokens are plain text; each active one is a <mark> with its value as a title, so that it is found by the
// pointer and by assistive technology without a script.
function contextLine(context: FeatureContext, maximum: number): string {
  const text = context.tokens.map((token, i) => {
    const value = context.values[i], level = shade(value, maximum)
    if (level === 0) return escapeToken(token)
    return tag('mark', { class: i === context.at ? `a${level} peak` : `a${level}`, title: brief(value) }, escapeToken(token))
  })
  return tag('span', { class: 'strength', title: 'largest activation in this text' }, brief(context.values[context.at])) +
    tag('span', { class: 'text', dir: 'ltr' }, text)
}
