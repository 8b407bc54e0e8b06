// Token text is arbitrary: what comes out must be inert and visible, whatever goes in.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { escapeHtml, escapeToken } from '../../lib/view/escape.ts'
import { dice, HOSTILE } from './sample.ts'

// What may stand in the output: no markup character, no lone surrogate, nothing invisible but tab and newline.
function inert(html: string): void {
  assert.not.match(html, /[<>"']/, html)
  assert.not.match(html, /&(?!amp;|lt;|gt;|quot;|#39;)/, html)
  assert.not.match(html, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\uffff]/, html)
  assert.not.match(html, /\p{Surrogate}/u, html)
}

test('markup characters become entities, once', () => {
  assert.is(escapeHtml('a<b & "c" > \'d\''), 'a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;')
  assert.is(escapeHtml('&lt;'), '&amp;lt;')
  assert.is(escapeHtml(''), '')
  assert.is(escapeHtml('x'.repeat(5) + 'é漢😀'), 'xxxxxé漢😀')
})

test('every hostile string is inert in content and attributes', () => {
  for (const text of [...HOSTILE, HOSTILE.join('')]) {
    inert(escapeHtml(text))
    inert(escapeToken(text))
  }
})

test('halves of surrogate pairs become the replacement character, whole pairs stay', () => {
  assert.is(escapeHtml('a\ud83d'), 'a\ufffd')
  assert.is(escapeHtml('\ude00a'), '\ufffda')
  assert.is(escapeHtml('\ud83d\ude00'), '😀')
  assert.is(escapeHtml('\ude00\ud83d'), '\ufffd\ufffd')
  assert.is(escapeHtml('\ufffd'), '\ufffd')
})

test('what cannot be seen is shown by number', () => {
  assert.is(escapeHtml('\u0000\u001b\u007f'), '⟨00⟩⟨1B⟩⟨7F⟩')
  assert.is(escapeHtml('\u202e\u200b\ufeff\u2028'), '⟨202E⟩⟨200B⟩⟨FEFF⟩⟨2028⟩')
  assert.is(escapeHtml('\uffff\u{1fffe}\u{e0041}'), '⟨FFFF⟩⟨1FFFE⟩⟨E0041⟩')
})

test('white space of a token is visible; elsewhere it stays as it is', () => {
  assert.is(escapeToken('\n\n\t x '), '↵↵⇥ x ')
  assert.is(escapeToken('\r\n'), '⟨0D⟩↵')
  assert.is(escapeToken(''), '∅')
  assert.is(escapeHtml('a\n\tb'), 'a\n\tb')
})

test('random UTF-16, 2000 strings, seed 3', () => {
  const roll = dice(3)
  for (let n = 0; n < 2000; n++) inert(escapeToken(String.fromCharCode(...Array.from({ length: 12 }, () => Math.floor(roll() * (n % 2 ? 65536 : 256))))))
})

test.run()
