/** Numbers, times and durations as people of the chosen language write them. */
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

const SIZE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte']

export function useFormat() {
  const { locale: language, t } = useI18n()
  // Dates follow the person's own region where it speaks the chosen language.
  const locale = computed(
    () => navigator.languages.find((tag) => tag.startsWith(language.value)) ?? language.value,
  )

  const numbers = computed(() => new Intl.NumberFormat(locale.value))
  const fractions = computed(
    () => new Intl.NumberFormat(locale.value, { maximumFractionDigits: 2 }),
  )
  const days = computed(() => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }))
  const moments = computed(
    () => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'medium' }),
  )
  const clocks = computed(() => new Intl.DateTimeFormat(locale.value, { timeStyle: 'medium' }))

  const instants = computed(
    () =>
      new Intl.DateTimeFormat(locale.value, {
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        fractionalSecondDigits: 3,
      }),
  )

  function withDate(format: Intl.DateTimeFormat, time: string | null | undefined): string {
    const date = new Date(time ?? '')
    return Number.isNaN(date.getTime()) ? '–' : format.format(date)
  }

  function number(value: number | null | undefined): string {
    return value === null || value === undefined ? '–' : numbers.value.format(value)
  }

  function day(time: string | null | undefined): string {
    return withDate(days.value, time)
  }

  function moment(time: string | null | undefined): string {
    return withDate(moments.value, time)
  }

  /** The time alone if it is today, else with its date. */
  function clock(time: string | null | undefined): string {
    const isToday = new Date(time ?? '').toDateString() === new Date().toDateString()
    return withDate(isToday ? clocks.value : moments.value, time)
  }

  /** The time of day to the millisecond, so many microseconds after another time. */
  function instant(time: string, afterUs: number): string {
    const atMs = new Date(time).getTime() + afterUs / 1_000
    return Number.isNaN(atMs) ? '–' : instants.value.format(atMs)
  }

  /** A size as disks are sold: in thousands. */
  function size(bytes: number): string {
    const step = Math.min(Math.max(Math.floor(Math.log10(bytes) / 3), 0), SIZE_UNITS.length - 1)
    const format = new Intl.NumberFormat(locale.value, {
      style: 'unit',
      unit: SIZE_UNITS[step],
      maximumFractionDigits: step > 2 ? 1 : 0,
    })
    return format.format(bytes / 1_000 ** step)
  }

  function duration(us: number | null | undefined): string {
    if (us === null || us === undefined) return '–'
    if (us >= 1_000_000) return t('format.seconds', { n: fractions.value.format(us / 1_000_000) })
    return t('format.milliseconds', { n: fractions.value.format(us / 1_000) })
  }

  return { number, day, moment, clock, instant, size, duration }
}
