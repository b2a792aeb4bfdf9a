import { createRouter, createWebHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'catalogue', component: () => import('./views/CatalogueView.vue') },
    { path: '/cluster', name: 'cluster', component: () => import('./views/ClusterView.vue') },
    {
      path: '/rounds/:id(\\d+-\\d+)?',
      name: 'rounds',
      component: () => import('./views/RoundsView.vue'),
      props: true,
    },
    { path: '/lab', name: 'lab', component: () => import('./views/LabView.vue') },
    { path: '/restore', name: 'restore', component: () => import('./views/RestoreView.vue') },
    { path: '/:path(.*)*', name: 'not_found', component: () => import('./views/NotFoundView.vue') },
  ],
  scrollBehavior: (to, from, saved) => {
    if (saved) return saved
    return to.path === from.path ? undefined : { top: 0 }
  },
})
