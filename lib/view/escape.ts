// Text made safe for HTML. Token text is arbitrary bytes decoded: it may hold markup, quotes, controls, half of a
// surrogate pair, or marks that reverse the reading direction of everything after them. All of it must come out
// visible and inert, in element content as well as in quoted attributes.

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&#39;' }

// What a page must not hold as it is: controls (tab and newline are handled apart), format characters (zero-width and
// direction marks, the byte-order mark, tags), lone surrogates, line and paragraph separators, noncharacters.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu

/** Any string as HTML text: the five markup characters become entities, invisible characters become visible marks. */
export function escapeHtml(text: string): string {
  return marked(text).replace(/[&<>"']/g, character => ENTITIES[character]!)
}

/**
 * A token as HTML text with its white space made visible: a newline as ↵, a tab as ⇥ (without the break itself, so
 * that a context stays one paragraph), a carriage return as ⟨0D⟩; spaces are kept, the page's style preserves them.
 * An empty token shows as ∅.
 */
export function escapeToken(token: string): string {
  if (token === '') return '∅'
  return escapeHtml(token.replace(/\n/g, '↵').replace(/\t/g, '⇥'))
}

// Half a surrogate pair becomes U+FFFD (what a byte-level tokenizer, too, makes of half a character), the rest is shown by
// number: control pictures such as ␇ are missing from many fonts.
function marked(text: string): string {
  return text.replace(UNSAFE, character => {
    const code = character.codePointAt(0)!
    if (character === '\n' || character === '\t') return character
    if (code >= 0xd800 && code < 0xe000) return '\ufffd'
    return `⟨${code.toString(16).toUpperCase().padStart(2, '0')}⟩`
  })
}
