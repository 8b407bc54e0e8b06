// The report in a real browser, wide and narrow, light and dark: ink in every chart, no word on the console, no request,
// no sideways scrolling, contrast, and controls that do something. Needs chromium (TRANSWELD_CHROMIUM or /usr/bin/chromium).
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { reportPage } from '../../lib/view/report.ts'
import { contrastFaults } from './contrast.ts'
import { hostileReport, sampleReport } from './sample.ts'

const executablePath = process.env.TRANSWELD_CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(executablePath)
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run']
const PAGES = {
  sample: sampleReport(), hostile: hostileReport(),
  deep: sampleReport({ layers: 48, cards: 8, steps: 60 }), bare: sampleReport({ layers: 0, cards: 0, steps: 0 }),
}
type Name = keyof typeof PAGES
interface Visit { readonly width?: number, readonly scheme?: 'light' | 'dark', readonly script?: boolean }

const browserTests = suite('report in a browser')
const test = present ? browserTests : browserTests.skip
let browser: Browser, folder: string

if (present) {
  browserTests.before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'transweld-report-'))
    for (const [name, data] of Object.entries(PAGES)) await writeFile(join(folder, `${name}.html`), reportPage(data))
    browser = await chromium.launch({ executablePath, args: FLAGS })
  })
  browserTests.after(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })
} else {
  process.stdout.write(`skipped: no browser at ${executablePath}; install Debian's chromium or set TRANSWELD_CHROMIUM\n`)
}

/** Opens a page, does something with it, and insists that it stayed silent and asked for nothing. */
async function visit<T>(name: Name, { width = 1280, scheme = 'light', script = true }: Visit, act: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, javaScriptEnabled: script })
  const said: string[] = [], asked: string[] = [], page = await context.newPage()
  page.on('console', message => said.push(message.text()))
  page.on('pageerror', error => said.push(String(error)))
  page.on('request', request => asked.push(request.url()))
  const url = pathToFileURL(join(folder, `${name}.html`)).href
  await page.goto(url)
  const result = await act(page)
  await context.close()
  assert.equal(said, [])
  assert.equal(asked.filter(one => !one.startsWith('data:')), [url])
  return result
}

// Evaluated in the page; as text, because the types of a browser are not those of this project.
const WIDTHS = '[document.documentElement.scrollWidth, document.documentElement.clientWidth]'
const INK = `[...document.querySelectorAll('path')].map(path => path.getTotalLength())`
const BARS = `[...document.querySelectorAll('.bar, .bars rect')].map(bar => bar.getBoundingClientRect().width * bar.getBoundingClientRect().height)`
const CLIPPED = `[...document.querySelectorAll('figure')].flatMap(figure => {
  const outer = figure.getBoundingClientRect()
  return [...figure.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect()
    return box.left < outer.left - 1 || box.right > outer.right + 1 || box.top < outer.top || box.bottom > outer.bottom + 1
  }).map(text => text.textContent)
})`
const OVERLAPS = `[...document.querySelectorAll('svg.plot')].flatMap(plot => {
  const boxes = [...plot.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()])
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4
  return boxes.flatMap(([name, a], i) => boxes.slice(0, i).filter(([, b]) => meet(a, b)).map(([other]) => name + ' / ' + other))
})`

for (const scheme of ['light', 'dark'] as const) {
  for (const width of [1280, 768, 390]) {
    test(`${scheme}, ${width} px: ink, no sideways scrolling, nothing clipped or overlapping, contrast`, async () => {
      for (const name of Object.keys(PAGES) as Name[]) {
        await visit(name, { width, scheme }, async page => {
          const [scroll, client] = await page.evaluate<[number, number]>(WIDTHS)
          assert.ok(scroll <= client, `${name}: ${scroll} > ${client}`)
          if (name === 'hostile' || name === 'bare') return
          const layers = PAGES[name].evaluation.layers.length
          const lengths = await page.evaluate<number[]>(INK)
          assert.is(lengths.length, 4 * layers)
          assert.ok(lengths.every(length => length > 900), `${name}: ${lengths}`)
          const areas = await page.evaluate<number[]>(BARS)
          assert.ok(areas.length > 2 * layers + 2 && areas.every(area => area > 0), `${name}: ${areas}`)
          assert.equal(await page.evaluate(CLIPPED), [])
          assert.equal(await page.evaluate(OVERLAPS), [])
          assert.equal(await page.evaluate(contrastFaults(4.5)), [])
        })
      }
    })
  }
}

test('light and dark are two pictures', async () => {
  const ground = (scheme: 'light' | 'dark') => visit('sample', { scheme }, page => page.evaluate<string>('getComputedStyle(document.body).backgroundColor'))
  assert.is.not(await ground('light'), await ground('dark'))
})

test('hostile strings ran nothing', async () => {
  assert.is(await visit('hostile', {}, page => page.evaluate('typeof window.broken')), 'undefined')
})

test('the policy stops a script that got in', async () => {
  const page = await browser.newPage()
  await page.goto(pathToFileURL(join(folder, 'sample.html')).href)
  await page.evaluate(`{ const script = document.createElement('script'); script.textContent = 'window.broken = 1'; document.body.append(script) }`)
  assert.is(await page.evaluate('typeof window.broken'), 'undefined')
  await page.close()
})

test('pointer and keys read figures off a curve', async () => {
  await visit('sample', {}, async page => {
    const plot = page.locator('#training svg.plot').first(), box = page.locator('#training .read').first()
    assert.is(await box.isVisible(), false)
    await plot.scrollIntoViewIfNeeded()
    const place = (await plot.boundingBox())!
    await page.mouse.move(place.x + place.width - 0.4, place.y + 40)
    const curves = PAGES.sample.training!
    assert.match((await box.textContent())!, '999k training tokens')
    for (const layer of curves.layers) assert.match((await box.textContent())!, `layer ${layer.layer}${Number(layer.fvu.at(-1)!.toPrecision(3))}`)
    const inside = (await box.boundingBox())!
    assert.ok(inside.x >= 0 && inside.x + inside.width <= 1280)
    await page.mouse.move(5, 5)
    assert.is(await box.isVisible(), false)
    await plot.focus()
    await page.keyboard.press('Home')
    assert.match((await box.textContent())!, '4.1k training tokens')
    await page.keyboard.press('Escape')
    assert.is(await box.isVisible(), false)
  })
})

test('the layer filter and the feature search leave what was asked for', async () => {
  await visit('sample', { width: 390 }, async page => {
    const shown = () => page.locator('.card:visible').count()
    assert.is(await shown(), 24)
    await page.click('button[data-choose="2"]')
    assert.is(await shown(), 6)
    assert.is(await page.locator('tbody tr:visible').count(), 1)
    assert.is(await page.locator('path.dim').count(), 12)
    await page.fill('input', 'no such token anywhere')
    assert.is(await shown(), 0)
    assert.is(await page.locator('.found').textContent(), '0 of 24 shown')
    await page.click('button[data-choose=""]')
    await page.fill('input', `FEATURE ${PAGES.sample.features[3]!.feature}`)
    assert.ok(await shown() >= 1)
    await page.fill('input', '')
    assert.is(await shown(), 24)
  })
})

test('without a script all content is there and no dead control is shown', async () => {
  await visit('sample', { script: false }, async page => {
    assert.is(await page.locator('nav').isVisible(), false)
    assert.is(await page.locator('.card:visible').count(), 24)
    assert.is(await page.locator('path').count(), 16)
  })
})

browserTests.run()
