// Contrast of text against what lies behind it, measured in the page: WCAG's ratio for every element that holds text of
// its own, SVG labels and shaded tokens included. Returned as text to be evaluated in a browser.

/** An expression that gives a line for each element whose contrast is under `least`. */
export function contrastFaults(least: number): string {
  return `(() => {
  const parse = text => {
    const numbers = (text.match(/[\\d.]+(e-?\\d+)?/g) ?? []).map(Number), alpha = numbers.length > 3 ? numbers[3] : 1
    return { rgb: text.startsWith('color(srgb') ? numbers.slice(0, 3) : numbers.slice(0, 3).map(value => value / 255), alpha }
  }
  // Any colour notation (oklab from color-mix too) becomes sRGB by painting it.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const painted = text => {
    if (/^rgba?\\(|^color\\(srgb /.test(text)) return parse(text)
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = text
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return { rgb: [r / 255, g / 255, b / 255], alpha: a / 255 }
  }
  const luminance = rgb => {
    const [r, g, b] = rgb.map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = element => {
    for (let node = element; node; node = node.parentElement) {
      const colour = painted(getComputedStyle(node).backgroundColor)
      if (colour.alpha === 1) return colour.rgb
    }
    return [1, 1, 1]
  }
  const faults = []
  for (const element of document.querySelectorAll('body *')) {
    if (element.matches('script, title, rect *') || !element.getClientRects().length) continue
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue
    const style = getComputedStyle(element), text = painted(element instanceof SVGElement ? style.fill : style.color)
    const a = luminance(text.rgb), b = luminance(behind(element)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (!(ratio >= ${least})) faults.push(element.tagName + '.' + (element.getAttribute('class') ?? '') + ' ' + ratio.toFixed(2) + ' ' + element.textContent.slice(0, 20))
  }
  return [...new Set(faults)].slice(0, 20)
})()`
}
