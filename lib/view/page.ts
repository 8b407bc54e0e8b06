// The shell of a self-contained page: nothing is loaded from anywhere, and the page's own policy says so. The policy
// names the one style sheet and the one script by their hash: text that slipped past the escaping could still not run.
import { createHash } from 'node:crypto'
import { escapeHtml } from './escape.ts'
import { PAGE_SCRIPT } from './script.ts'
import { styleSheet } from './style.ts'

/** A whole HTML document around `body`; `title` is plain text, `body` is HTML. */
export function page(title: string, body: string): string {
  const style = styleSheet()
  const allowed = `style-src ${hash(style)}; script-src ${hash(PAGE_SCRIPT)}; img-src data:`
  const policy = `default-src 'none'; ${allowed}; base-uri 'none'; form-action 'none'`
  return '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">' +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">` +
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">' +
    // An empty icon of its own keeps a browser from asking the server for one.
    `<title>${escapeHtml(title)}</title><link rel="icon" href="data:,"><style>${style}</style></head>\n` +
    `<body>${body}<script>${PAGE_SCRIPT}</script></body></html>\n`
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
