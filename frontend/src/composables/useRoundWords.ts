/** Rounds in words: the sentence of each step and of what each party knows, and the short labels of diagrams. */
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import type { Round, Vote } from '@/api/types'
import type { Tone } from '@/components/app/StatusMark.vue'
import type { PartyState } from '@/components/round/roundState'
import type { Step } from '@/components/round/roundSteps'
import { useFormat } from './useFormat'

export function useRoundWords() {
  const { t, te, locale } = useI18n()
  // The same few words again and again: looked up once for each language.
  const labels = computed(() => new Map<string, string>([['', locale.value]]))
  const { number, instant } = useFormat()

  /** The cause in words if it is one that we know, and the reason as the server wrote it. */
  function why(vote: Vote | null | undefined): string {
    const cause = vote?.cause
      ? te(`cause.${vote.cause}`)
        ? t(`cause.${vote.cause}`)
        : vote.cause
      : ''
    return [cause, vote?.reason ?? ''].filter(Boolean).join(': ')
  }

  function word(key: string): string {
    const known = labels.value.get(key)
    if (known !== undefined) return known
    const text = t(`diagram.${key}`)
    labels.value.set(key, text)
    return text
  }

  /** What a diagram writes beside a step. */
  function label(step: Step, round: Round): string {
    if (step.kind === 'vote') return word(`vote_${step.vote?.vote ?? 'none'}`)
    if (step.kind === 'decide' || step.kind === 'tell' || step.kind === 'answer') {
      return word(`${step.kind}_${round.outcome}`)
    }
    return word(step.kind)
  }

  function sentence(step: Step, round: Round): string {
    const member = step.member ?? ''
    const isOpen = step.endsUs === null
    if (step.kind === 'request') {
      return t('step.request', { count: number(round.changes) }, round.changes)
    }
    if (step.kind === 'vote') {
      return t(`step.vote_${step.vote?.vote ?? 'none'}`, { member, why: why(step.vote) })
    }
    if (step.kind === 'decide') {
      return t(`step.decide_${round.outcome}`, { why: round.reason ?? '' })
    }
    if (step.kind === 'prepare' && isOpen) return t('step.prepareOpen', { member })
    if (step.kind === 'tell') {
      return isOpen ? t('step.tellOpen', { member }) : t(`step.tell_${round.outcome}`, { member })
    }
    if (step.kind === 'answer') return t(`step.answer_${round.outcome}`)
    return t(`step.${step.kind}`, { member })
  }

  function partyName(state: PartyState): string {
    return state.party === 'member' ? state.member : t(`state.${state.party}`)
  }

  function stateSentence(state: PartyState, round: Round): string {
    const key = `state.${state.party}_${state.is}`
    if (state.party === 'member') {
      const vote = round.votes.find(({ member }) => member === state.member)
      const at = state.votedUs === null ? '–' : instant(round.started_at, state.votedUs)
      return t(key, { at, why: why(vote) })
    }
    if (state.is === 'tells') return t(key, { left: number(state.left) }, state.left)
    if (state.is === 'collects') {
      return t(key, { votes: number(state.votes), all: number(state.all) })
    }
    return t(key, { why: round.reason ?? '' })
  }

  return { label, sentence, partyName, stateSentence }
}

/** The colour of what somebody knows. */
export function toneOf(state: PartyState): Tone {
  if (state.is === 'doubt' || state.is === 'unheard') return 'warn'
  if (state.is === 'refused' || state.is.endsWith('aborted')) return 'bad'
  if (state.is === 'done' || state.is.endsWith('committed')) return 'good'
  if (state.is === 'passed_over') return 'quiet'
  return 'note'
}

export const OUTCOME_TONES: Record<Round['outcome'], Tone> = {
  committed: 'good',
  aborted: 'bad',
  in_flight: 'note',
}
