/** A diagram as a file of its own: what the style sheet gives it is written into it. */
const STYLES = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linejoin',
  'stroke-linecap',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'dominant-baseline',
  'paint-order',
]

export function svgFile(diagram: SVGSVGElement, background: string): string {
  const copy = diagram.cloneNode(true) as SVGSVGElement
  const shown = [diagram, ...diagram.querySelectorAll<SVGElement>('*')]
  const copies = [copy, ...copy.querySelectorAll<SVGElement>('*')]
  shown.forEach((element, place) => {
    const style = getComputedStyle(element)
    const target = copies[place]!
    // Attributes, not a style: the file is then valid wherever styles are refused.
    for (const name of STYLES) {
      const value = style.getPropertyValue(name)
      if (value && value !== 'none' && value !== 'normal') target.setAttribute(name, value)
      else if (name === 'fill' && value === 'none') target.setAttribute(name, 'none')
    }
    for (const { name } of [...target.attributes]) {
      if (name === 'class' || name.startsWith('data-')) target.removeAttribute(name)
    }
  })
  const paper = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  paper.setAttribute('width', '100%')
  paper.setAttribute('height', '100%')
  paper.setAttribute('fill', background)
  copy.querySelector('title')?.after(paper)
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return new XMLSerializer().serializeToString(copy)
}
