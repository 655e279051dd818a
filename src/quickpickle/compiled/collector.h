/* Windows in which the cyclic garbage collector does not run: while only our own code does.

   The collector runs when many objects were made, and looks at all that are young. While objects
   are loaded nothing of them is garbage, so that takes most of the time, and finds nothing. Where
   other code is called the collector is as that code expects it.

   Where many objects were made in such a window, they are put into the middle generation, where
   they would be after one collection. Otherwise that one, right after the load, would look at all
   of them. The next collection of the middle generation does so once, and counts what it moves to
   the oldest: by that count the collector knows when to look at everything, so what is loaded is
   not put there. */

#ifndef QUICKPICKLE_COLLECTOR_H
#define QUICKPICKLE_COLLECTOR_H

#include "machine.h"

typedef struct {
    int is_open, was_on, count;  /* of the youngest objects, when it was opened */
    PyObject *marker;  /* while a window is open, it lies before what is made in it */
} quickpickle_window;

#if !defined(Py_GIL_DISABLED) && !defined(QUICKPICKLE_UNKNOWN) && PY_VERSION_HEX < 0x03100000
#define QUICKPICKLE_GENERATIONS
#endif

#ifdef QUICKPICKLE_GENERATIONS
/* The head of each object that the collector knows, and of each of its lists, which are rings. */
typedef struct quickpickle_link {
    uintptr_t next, previous;  /* both may have flags in the lowest two bits */
} quickpickle_link;

typedef struct {
    quickpickle_link head;
    int threshold, count;
} quickpickle_generation;

#define QUICKPICKLE_LINK(obj) ((quickpickle_link *)(obj) - 1)

/* A marker knows whether the collector has looked at it: then it may lie in another ring. No
   collection is expected in a window, but from 3.12 on one that was due before runs as soon as any
   Python code does, even if the collector was turned off. */
typedef struct {
    PyObject_HEAD
    int was_seen;
} quickpickle_marker;

static int quickpickle_traverse_marker(PyObject *self, visitproc visit, void *arg)
{
    (void)visit, (void)arg;
    ((quickpickle_marker *)self)->was_seen = 1;
    return 0;
}

static void quickpickle_free_marker(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    PyObject_GC_Del(self);
}

static PyTypeObject quickpickle_marker_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "quickpickle.compiled.unpickling._Marker",
    .tp_basicsize = sizeof(quickpickle_marker),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = quickpickle_traverse_marker,
    .tp_dealloc = quickpickle_free_marker,
};

/* Three in a row, the youngest first; NULL where the layout is not known. */
static quickpickle_generation *quickpickle_generations = NULL;

/* Finds the generations: a new object is the last one in the ring of the youngest, so its next
   one is the head of that ring. The thresholds are compared with those that the collector tells.
   Returns 0 without an exception where anything is not as expected. */
static void quickpickle_find_generations(void)
{
    PyObject *gc = PyImport_ImportModule("gc"), *thresholds = NULL, *fresh = NULL, *marker = NULL;
    int values[3], i, was_on, count;
    quickpickle_generation *found;
    quickpickle_link *link;
    if (gc != NULL) {
        thresholds = PyObject_CallMethod(gc, "get_threshold", NULL);
    }
    if (thresholds == NULL ||
        !PyArg_ParseTuple(thresholds, "iii", &values[0], &values[1], &values[2])) {
        goto done;
    }
    was_on = PyGC_Disable();
    fresh = PyList_New(0);
    if (was_on) {
        PyGC_Enable();
    }
    if (fresh == NULL) {
        goto done;
    }
    link = QUICKPICKLE_LINK(fresh);
    if (link->next & 3 || link->previous & 3) {
        goto done;
    }
    found = (quickpickle_generation *)link->next;
    if (found == NULL || (found->head.previous & ~(uintptr_t)3) != (uintptr_t)link ||
        found->threshold != values[0]) {
        goto done;
    }
    for (i = 1; i < 3; i++) {
        quickpickle_link *head = &found[i].head;
        /* Collectors that work in steps have no third threshold, and other rings. */
        if (found[i].threshold != values[i] || values[i] == 0 || head->next == 0 ||
            head->next & 3 || head->previous == 0 || head->previous & 3 ||
            ((quickpickle_link *)head->previous)->next != (uintptr_t)head) {
            goto done;
        }
    }
    if (PyType_Ready(&quickpickle_marker_type) < 0) {
        goto done;
    }
    was_on = PyGC_Disable();  /* it would count from the beginning */
    count = found->count;
    marker = (PyObject *)PyObject_GC_New(quickpickle_marker, &quickpickle_marker_type);
    count = found->count - count;
    if (was_on) {
        PyGC_Enable();
    }
    if (marker == NULL || count != 1) {
        goto done;
    }
    quickpickle_generations = found;
done:
    PyErr_Clear();
    Py_XDECREF(gc);
    Py_XDECREF(thresholds);
    Py_XDECREF(fresh);
    Py_XDECREF(marker);
}

/* Puts the ring of the youngest, from behind the marker on, at the end of the next one. */
static inline void quickpickle_age(PyObject *marker)
{
    quickpickle_link *young = &quickpickle_generations[0].head;
    quickpickle_link *old = &quickpickle_generations[1].head;
    quickpickle_link *link = QUICKPICKLE_LINK(marker);
    quickpickle_link *first = (quickpickle_link *)link->next;
    quickpickle_link *last, *before;
    if (first == young || ((quickpickle_marker *)marker)->was_seen) {
        return;  /* nothing was made, or nothing that the collector looks at */
    }
    last = (quickpickle_link *)young->previous;
    link->next = (uintptr_t)young;
    young->previous = (uintptr_t)link;
    before = (quickpickle_link *)old->previous;
    before->next = (uintptr_t)first | (before->next & 3);
    first->previous = (uintptr_t)before | (first->previous & 3);
    last->next = (uintptr_t)old | (last->next & 3);
    old->previous = (uintptr_t)last;
}

/* Puts a marker that is in no ring behind the youngest object. */
static inline void quickpickle_enter_ring(PyObject *marker)
{
    quickpickle_link *head = &quickpickle_generations[0].head, *link = QUICKPICKLE_LINK(marker);
    quickpickle_link *last = (quickpickle_link *)head->previous;
    last->next = (uintptr_t)link | (last->next & 3);
    link->previous = (uintptr_t)last | (link->previous & 3);
    link->next = (uintptr_t)head;
    head->previous = (uintptr_t)link;
}

/* Takes it out of the ring that it lies in by now. */
static inline void quickpickle_leave_ring(PyObject *marker)
{
    quickpickle_link *link = QUICKPICKLE_LINK(marker);
    quickpickle_link *before = (quickpickle_link *)(link->previous & ~(uintptr_t)3);
    quickpickle_link *after = (quickpickle_link *)(link->next & ~(uintptr_t)3);
    before->next = (uintptr_t)after | (before->next & 3);
    after->previous = (uintptr_t)before | (after->previous & 3);
    link->next = 0;  /* so the collector does not know it */
    link->previous &= 1;  /* the flag that says whether it was finalized */
}

/* Puts an object that was just made right behind its owner, if the collector knows both. It finds
   what an object refers to in one pass where owners come first; what comes before its owner is
   taken for garbage at first, and put elsewhere later. */
static inline void quickpickle_put_behind(PyObject *owner, PyObject *made)
{
    if (quickpickle_generations != NULL && PyObject_GC_IsTracked(made) &&
        PyObject_IS_GC(owner) && PyObject_GC_IsTracked(owner)) {
        quickpickle_link *link = QUICKPICKLE_LINK(made), *before = QUICKPICKLE_LINK(owner);
        quickpickle_link *previous = (quickpickle_link *)(link->previous & ~(uintptr_t)3);
        quickpickle_link *next = (quickpickle_link *)link->next, *after;
        if (link->next & 3 || before->next & 3 || previous == before) {
            return;
        }
        previous->next = (uintptr_t)next;
        next->previous = (uintptr_t)previous | (next->previous & 3);
        after = (quickpickle_link *)before->next;
        before->next = (uintptr_t)link;
        link->previous = (uintptr_t)before | (link->previous & 3);
        link->next = (uintptr_t)after;
        after->previous = (uintptr_t)link | (after->previous & 3);
    }
}
#define quickpickle_forget_generations() ((void)(quickpickle_generations = NULL))
#define quickpickle_has_generations() (quickpickle_generations != NULL)
#else
#define quickpickle_put_behind(owner, made) ((void)0)
#define quickpickle_find_generations() ((void)0)
#define quickpickle_forget_generations() ((void)0)
#define quickpickle_has_generations() 0
#endif

/* Opens a window. The marker may be NULL: then what is made in it stays young. */
static inline void quickpickle_open_window(quickpickle_window *window)
{
    if (window->is_open) {
        return;
    }
    window->is_open = 1;
    window->was_on = PyGC_Disable();
#ifdef QUICKPICKLE_GENERATIONS
    if (window->marker != NULL) {
        ((quickpickle_marker *)window->marker)->was_seen = 0;
        window->count = quickpickle_generations[0].count;
        quickpickle_enter_ring(window->marker);
    }
#endif
}

static inline void quickpickle_close_window(quickpickle_window *window)
{
    if (!window->is_open) {
        return;
    }
    window->is_open = 0;
#ifdef QUICKPICKLE_GENERATIONS
    if (window->marker != NULL) {
        /* A few cost the next collection little. They stay in one ring with what other code makes
           in between, which may be their owner: see quickpickle_put_behind. */
        quickpickle_generation *young = &quickpickle_generations[0];
        if (young->count - window->count > young->threshold) {
            quickpickle_age(window->marker);
        }
        quickpickle_leave_ring(window->marker);
    }
#endif
    if (window->was_on) {
        PyGC_Enable();
    }
}

/* A marker, which no window uses yet; NULL without an exception where there is none. */
static PyObject *quickpickle_new_marker(void)
{
#ifdef QUICKPICKLE_GENERATIONS
    quickpickle_marker *marker;
    if (quickpickle_generations == NULL) {
        return NULL;
    }
    marker = PyObject_GC_New(quickpickle_marker, &quickpickle_marker_type);  /* not tracked */
    if (marker == NULL) {
        PyErr_Clear();
    }
    return (PyObject *)marker;
#else
    return NULL;
#endif
}

#endif
