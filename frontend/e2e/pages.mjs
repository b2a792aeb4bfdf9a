/** The pages that checks and screenshots go through: where each is, and what is there when it has come to rest. */
export const PAGES = {
  catalogue: { path: '/', sign: 'book-table' },
  cluster: { path: '/cluster', sign: 'member' },
  rounds: { path: '/rounds', sign: 'round-picker' },
  restore: { path: '/restore', sign: 'scrub-member' },
  /** Only where the cluster runs with `--lab`. */
  lab: { path: '/lab', sign: 'lab-services', needsLab: true },
  'not-found': { path: '/no/such/page', sign: 'link-state', isNoPage: true },
}

/** How the page looks, each with what it is opened with. */
export const LOOKS = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  projector: { scheme: 'projector' },
}

/** Waits until what is on an open page is there, in its own letters. */
export async function settled({ page, by }, { sign }) {
  await by(sign).first().waitFor()
  await page.evaluate(() => document.fonts.ready)
}
