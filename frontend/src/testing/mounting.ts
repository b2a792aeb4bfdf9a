/** Mounts components and runs composables with everything that the page gives them. */
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { mount, type VueWrapper } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { defineComponent, h, type Component } from 'vue'
import { i18n } from '@/locales'
import { vuetify } from '@/plugins/vuetify'

export function mountInPage(
  component: Component,
  props: Record<string, unknown> = {},
  queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } }),
): VueWrapper {
  return mount(component, {
    props,
    attachTo: document.body,
    global: { plugins: [createPinia(), i18n, vuetify, [VueQueryPlugin, { queryClient }]] },
  })
}

/** Runs a composable inside a component; `stop` ends it as leaving a page would. */
export function runInPage<Result>(
  composable: () => Result,
  queryClient?: QueryClient,
): { result: Result; stop: () => void } {
  let result: Result | undefined
  const host = defineComponent({
    setup() {
      result = composable()
      return () => h('div')
    },
  })
  const wrapper = mountInPage(host, {}, queryClient)
  return { result: result as Result, stop: () => wrapper.unmount() }
}
