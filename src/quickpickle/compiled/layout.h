/* All code that depends on the layout of the interpreter's objects, with a fallback for each. */

#ifndef QUICKPICKLE_LAYOUT_H
#define QUICKPICKLE_LAYOUT_H

#include "structmember.h"
#include "datetime.h"

#include "machine.h"

/* The layouts here are those of the versions that we have seen. For later ones, and with
   QUICKPICKLE_UNKNOWN, which `make unknown` defines, only public functions are compiled. */
#if PY_VERSION_HEX < 0x03100000 && !defined(QUICKPICKLE_UNKNOWN)
#define QUICKPICKLE_KNOWN
#ifndef Py_GIL_DISABLED
#define QUICKPICKLE_VALUES
#endif
#endif

/* The layouts that were found to be as they are written here. layouts.pxi compares them with what
   public functions say, when this is imported. Where a flag is 0 these functions are used. */
typedef struct {
    int dicts, values, dict_versions, type_versions, sets, utf8, slots, dates, exceptions;
    Py_ssize_t digits;  /* ints of fewer digits than this are read without a call: 3, or 0 */
} quickpickle_layouts;
static quickpickle_layouts quickpickle_known;

/* Takes all that are compiled for known ones, or none. */
static void quickpickle_trust(int all)
{
#ifdef QUICKPICKLE_KNOWN
#ifdef QUICKPICKLE_VALUES
    quickpickle_known.dicts = quickpickle_known.values = all;
#endif
    quickpickle_known.dict_versions = all && PY_VERSION_HEX < 0x030E0000;
    quickpickle_known.type_versions = quickpickle_known.sets = all;
    quickpickle_known.utf8 = quickpickle_known.slots = quickpickle_known.dates = all;
    quickpickle_known.exceptions = all;
    quickpickle_known.digits = all ? 3 : 0;
#else
    (void)all;
#endif
}

/* The head of a dict's keys, which the entries follow. */
#ifdef QUICKPICKLE_VALUES
typedef struct {
    Py_ssize_t refs;
    uint8_t log2_size, log2_index_bytes, kind;
    uint32_t version;
    Py_ssize_t usable, entries;
    char indices[1];
} quickpickle_keys;

typedef struct {
    PyObject *key, *value;
} quickpickle_key;

typedef struct {
    Py_hash_t hash;
    PyObject *key, *value;
} quickpickle_hashed_key;

typedef struct {  /* from 3.13 on */
    uint8_t capacity, size, embedded, valid;
    PyObject *values[1];
} quickpickle_dict_values;
#endif

/* Whether the head of a dict has numbers that may be right. */
static int quickpickle_is_head_known(PyObject *dict)
{
#ifdef QUICKPICKLE_VALUES
    quickpickle_keys *keys = (quickpickle_keys *)((PyDictObject *)dict)->ma_keys;
    return keys->log2_size < 16 && (unsigned)(keys->log2_index_bytes - keys->log2_size) <= 1 &&
           keys->entries >= PyDict_GET_SIZE(dict) &&
           keys->entries + keys->usable == ((Py_ssize_t)2 << keys->log2_size) / 3;
#else
    (void)dict;
    return 0;
#endif
}

/* The attributes of most instances lie in an array beside or within the instance, and a dict of
   them is made on request. That takes longer than to write them, and one half of the memory that
   a dump would add. So they are read where they lie, in the order of quickpickle_attribute.

   Where the attributes of an instance lie that has no dict yet; else NULL. */
static inline void *quickpickle_values(PyObject *obj)
{
#ifdef QUICKPICKLE_VALUES
    if (PyType_HasFeature(Py_TYPE(obj), Py_TPFLAGS_MANAGED_DICT) &&
        !quickpickle_rarely(!quickpickle_known.values)) {
#if PY_VERSION_HEX >= 0x030D0000
        if (PyType_HasFeature(Py_TYPE(obj), Py_TPFLAGS_INLINE_VALUES)) {
            quickpickle_dict_values *values =
                (quickpickle_dict_values *)((char *)obj + Py_TYPE(obj)->tp_basicsize);
            return ((void **)obj)[-3] == NULL && values->valid ? values : NULL;
        }
#elif PY_VERSION_HEX >= 0x030C0000
        uintptr_t held = ((uintptr_t *)obj)[-3];  /* a dict, or, with a bit set, the array */
        return held & 1 ? (void *)(held + 1) : NULL;
#else
        return ((void **)obj)[-4];
#endif
    }
#endif
    (void)obj;
    return NULL;
}

static inline Py_ssize_t quickpickle_count_attributes(void *values)
{
#if !defined(QUICKPICKLE_VALUES)
    (void)values;
    return 0;
#elif PY_VERSION_HEX >= 0x030D0000
    return ((quickpickle_dict_values *)values)->size;
#else
    return ((const uint8_t *)values)[-2];
#endif
}

#ifdef QUICKPICKLE_VALUES
/* The value that was set as the i-th, and its place among the keys. */
static inline PyObject *quickpickle_value(void *values, Py_ssize_t i, Py_ssize_t *place)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject **items = ((quickpickle_dict_values *)values)->values;
    *place = ((const uint8_t *)&items[((quickpickle_dict_values *)values)->capacity])[i];
    return items[*place];
#else
    /* In front of the array, from its end: its own size, how many are set, in what order. */
    *place = ((const uint8_t *)values)[-3 - i];
    return ((PyObject **)values)[*place];
#endif
}
#endif

/* As PyDict_Next, where the attributes lie in such an array. Positions are
   counted in the order in which attributes were set, which stays when a dict is made of them. */
static inline int quickpickle_attribute(
    PyObject *obj, void *values, Py_ssize_t *position, PyObject **key, PyObject **value)
{
#ifdef QUICKPICKLE_VALUES
    Py_ssize_t i = *position, place;
    if (i < quickpickle_count_attributes(values)) {
        quickpickle_keys *keys =
            (quickpickle_keys *)((PyHeapTypeObject *)Py_TYPE(obj))->ht_cached_keys;
        quickpickle_key *found =
            (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
        *position = i + 1;
        *value = quickpickle_value(values, i, &place);
        *key = found[place].key;
        return 1;
    }
#endif
    (void)obj, (void)values, (void)position, (void)key, (void)value;
    return 0;
}

/* The head of a dict, whose version is deprecated, so that it is not asked for by its name. */
typedef struct {
    PyObject_HEAD
    Py_ssize_t used;
    uint64_t version;
} quickpickle_dict_head;

/* A number that changes with every change of a dict; 0 for versions that have none. */
static inline uint64_t quickpickle_dict_version(PyObject *dict)
{
    uint64_t version = 0;
    if (quickpickle_known.dict_versions) {
        memcpy(&version, (char *)dict + offsetof(quickpickle_dict_head, version), 8);
    }
    return version;
}

/* A number that changes with every change of a class or of its bases; 0 where it has none. */
static inline unsigned int quickpickle_type_version(PyTypeObject *cls)
{
#ifdef QUICKPICKLE_KNOWN
    if (quickpickle_known.type_versions) {
        return cls->tp_version_tag;
    }
#endif
    (void)cls;
    return 0;
}

/* Whether an int is known to have at most 60 bits, as nearly all have; then also its value. */
static inline int quickpickle_known_long(PyObject *obj, int64_t *value)
{
#if PY_VERSION_HEX >= 0x030E0000
    int overflow;
    if (PyUnstable_Long_IsCompact((PyLongObject *)obj)) {
        *value = PyUnstable_Long_CompactValue((PyLongObject *)obj);
        return 1;
    }
    *value = PyLong_AsLongLongAndOverflow(obj, &overflow);
    return !overflow;
#elif defined(QUICKPICKLE_KNOWN)
    /* Without branches: the processor cannot predict whether an int has one digit or two. Where it
       has one always this costs 30 %, where they are mixed it saves two thirds. */
#if PY_VERSION_HEX >= 0x030C0000
    const digit *digits = ((PyLongObject *)obj)->long_value.ob_digit;
    uintptr_t tag = ((PyLongObject *)obj)->long_value.lv_tag;
    Py_ssize_t size = (Py_ssize_t)(tag >> _PyLong_NON_SIZE_BITS);
    int sign = 1 - (int)(tag & _PyLong_SIGN_MASK);
#else
    const digit *digits = ((PyLongObject *)obj)->ob_digit;
    Py_ssize_t size = Py_SIZE(obj), sign = (size > 0) - (size < 0);
    size *= sign;
#endif
    if (size >= quickpickle_known.digits) {
        return 0;
    }
    *value =
        (digits[0] + ((int64_t)(digits[size >> 1] & -(digit)(size >> 1)) << PyLong_SHIFT)) * sign;
    return 1;
#else
    (void)obj, (void)value;
    return 0;
#endif
}

/* The same where they are not known. A call in the loops of the above would cost them 8 %. */
static int quickpickle_small_long(PyObject *obj, int64_t *value)
{
    int overflow;
    if (quickpickle_known_long(obj, value)) {
        return 1;
    }
    if (quickpickle_known.digits) {
        return 0;
    }
    *value = PyLong_AsLongLongAndOverflow(obj, &overflow);
    return !overflow;
}

/* The digits of an int of more than 64 bits, of PyLong_SHIFT bits each, lowest first; returns
   how many. */
static Py_ssize_t quickpickle_digits(PyObject *obj, const digit **digits, int *negative)
{
#if PY_VERSION_HEX >= 0x030E0000
    PyLongExport view;
    if (PyLong_Export(obj, &view) < 0) {
        return -1;
    }
    *digits = (const digit *)view.digits;  /* the int's own, which outlive the view */
    *negative = view.negative;
    PyLong_FreeExport(&view);
    return view.ndigits;
#elif !defined(QUICKPICKLE_KNOWN)
    (void)obj, (void)digits, (void)negative;
    return 0;
#elif PY_VERSION_HEX >= 0x030C0000
    *digits = ((PyLongObject *)obj)->long_value.ob_digit;
    *negative = (((PyLongObject *)obj)->long_value.lv_tag & _PyLong_SIGN_MASK) == 2;
    return (Py_ssize_t)(((PyLongObject *)obj)->long_value.lv_tag >> _PyLong_NON_SIZE_BITS);
#else
    *digits = ((PyLongObject *)obj)->ob_digit;
    *negative = Py_SIZE(obj) < 0;
    return *negative ? -Py_SIZE(obj) : Py_SIZE(obj);
#endif
}

/* The same int where its digits are not known: how many bytes it has, and these, as
   quickpickle_write_digits has them. This takes 1.6 times as long. */
static Py_ssize_t quickpickle_int_size(PyObject *obj)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_AsNativeBytes(obj, NULL, 0, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return (Py_ssize_t)(_PyLong_NumBits(obj) / 8 + 1);
#endif
}

static void quickpickle_write_int(PyObject *obj, char *target, Py_ssize_t size)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyLong_AsNativeBytes(obj, target, size, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    _PyLong_AsByteArray((PyLongObject *)obj, (unsigned char *)target, size, 1, 1);
#endif
}

#define quickpickle_list_items(obj) (((PyListObject *)(obj))->ob_item)
#define quickpickle_tuple_items(obj) (((PyTupleObject *)(obj))->ob_item)

/* The members of a set behind a position, and for each the position behind it; sets `position`
   behind the last place that was looked at. Looks at `limit` places, which is how many there
   may be. The processor cannot predict which are taken, so there are no branches, which saves 40 %,
   and what is fetched early 8 %. A freed place
   has the hash -1, which no member has. Only where sets are known. */
static Py_ssize_t quickpickle_set_members(
    PyObject *obj, Py_ssize_t *position, Py_ssize_t limit, PyObject **members, Py_ssize_t *ends)
{
#ifdef QUICKPICKLE_KNOWN
    PySetObject *set = (PySetObject *)obj;
    Py_ssize_t i = *position, last = set->mask + 1, count = 0;
    if (last - i > limit) {
        last = i + limit;
    }
    while (i < last) {
        setentry *entry = &set->table[i++];
        quickpickle_prefetch(entry->key);
        members[count] = entry->key;
        ends[count] = i;
        count += (entry->key != NULL) & (entry->hash != -1);
    }
    *position = i;
    return count;
#else
    (void)obj, (void)position, (void)limit, (void)members, (void)ends;
    return 0;
#endif
}

/* As PyDict_Next; its call takes longer than its work. */
static inline int quickpickle_dict_next(
    PyObject *dict, Py_ssize_t *position, PyObject **key, PyObject **value)
{
#ifdef QUICKPICKLE_VALUES
    if (quickpickle_rarely(!quickpickle_known.dicts)) {
        return PyDict_Next(dict, position, key, value);
    }
    if (((PyDictObject *)dict)->ma_values == NULL) {
        quickpickle_keys *keys = (quickpickle_keys *)((PyDictObject *)dict)->ma_keys;
        char *entries = keys->indices + ((size_t)1 << keys->log2_index_bytes);
        Py_ssize_t i = *position, count = keys->entries;
        if (keys->kind != 0) {  /* of strings only */
            quickpickle_key *entry = (quickpickle_key *)entries + i;
            for (; i < count; i++, entry++) {
                if (entry->value != NULL) {
                    *position = i + 1;
                    *key = entry->key;
                    *value = entry->value;
                    return 1;
                }
            }
        }
        else {
            quickpickle_hashed_key *entry = (quickpickle_hashed_key *)entries + i;
            for (; i < count; i++, entry++) {
                if (entry->value != NULL) {
                    *position = i + 1;
                    *key = entry->key;
                    *value = entry->value;
                    return 1;
                }
            }
        }
        return 0;
    }
    else {  /* it shares its keys with other instances' dicts, each has the order of its own */
        quickpickle_keys *keys = (quickpickle_keys *)((PyDictObject *)dict)->ma_keys;
        quickpickle_key *entries =
            (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
        Py_ssize_t i = *position, place;
        if (i >= ((PyDictObject *)dict)->ma_used) {
            return 0;
        }
        *value = quickpickle_value(((PyDictObject *)dict)->ma_values, i, &place);
        *position = i + 1;
        *key = entries[place].key;
        return 1;
    }
#else
    return PyDict_Next(dict, position, key, value);
#endif
}

/* The UTF-8 that a string keeps of itself once it was asked for it; NULL for none. */
static inline const char *quickpickle_kept_utf8(PyObject *obj, Py_ssize_t *size)
{
#ifdef QUICKPICKLE_VALUES
    if (PyUnicode_IS_COMPACT(obj) && quickpickle_known.utf8) {
        *size = ((PyCompactUnicodeObject *)obj)->utf8_length;
        return ((PyCompactUnicodeObject *)obj)->utf8;
    }
#endif
    (void)obj, (void)size;
    return NULL;
}

/* The fields of a NumPy array that its C interface has made public, and not changed since.
   Their contents are compared with an array's own word before they are relied on. */
typedef struct {
    PyObject_HEAD
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
} quickpickle_array;

/* Whether to look up a str in a dict runs no other code: its keys are all of type str. */
static inline int quickpickle_has_str_keys(PyObject *dict)
{
#ifdef QUICKPICKLE_VALUES
    return quickpickle_known.dicts &&
           (((PyDictObject *)dict)->ma_values != NULL ||
            ((quickpickle_keys *)((PyDictObject *)dict)->ma_keys)->kind != 0);
#else
    (void)dict;
    return 0;
#endif
}

/* Where an instance of `cls` has a slot; -1 if the descriptor is not that of one of its slots. */
static Py_ssize_t quickpickle_slot_offset(PyObject *descriptor, PyTypeObject *cls)
{
#ifdef QUICKPICKLE_KNOWN
    if (quickpickle_known.slots && Py_IS_TYPE(descriptor, &PyMemberDescr_Type) &&
        PyType_IsSubtype(cls, PyDescr_TYPE(descriptor))) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }
#endif
    (void)descriptor, (void)cls;
    return -1;
}

/* The arguments of an exception, as its __reduce__ gives them: `items`, of which there are 5 at
   most, get those of an OSError that keeps its file names apart, and `tuple` is NULL then. Returns
   how many; -1 where there are none. Only where exceptions are known. */
static Py_ssize_t quickpickle_exception_args(
    PyObject *obj, int is_os_error, PyObject **tuple, PyObject **items)
{
#ifdef QUICKPICKLE_KNOWN
    PyObject *args = ((PyBaseExceptionObject *)obj)->args;
    *tuple = args;
    if (args == NULL || !PyTuple_CheckExact(args)) {
        return -1;
    }
    if (is_os_error && PyTuple_GET_SIZE(args) == 2 && ((PyOSErrorObject *)obj)->filename != NULL) {
        PyObject *second = ((PyOSErrorObject *)obj)->filename2;
        *tuple = NULL;
        items[0] = PyTuple_GET_ITEM(args, 0);
        items[1] = PyTuple_GET_ITEM(args, 1);
        items[2] = ((PyOSErrorObject *)obj)->filename;
        items[3] = Py_None;
        items[4] = second;
        return second == NULL ? 3 : 5;
    }
    return PyTuple_GET_SIZE(args);
#else
    (void)obj, (void)is_os_error, (void)tuple, (void)items;
    return -1;
#endif
}

#define quickpickle_slot(obj, offset) (*(PyObject **)((char *)(obj) + (offset)))

/* The first argument of the reduction of a date, datetime or time; the fold from protocol 4 on. */
static int quickpickle_datetime_bytes(PyObject *obj, char *target, int with_fold)
{
    if (PyDateTime_CheckExact(obj)) {
        memcpy(target, ((PyDateTime_DateTime *)obj)->data, _PyDateTime_DATETIME_DATASIZE);
        if (with_fold && PyDateTime_DATE_GET_FOLD(obj)) {
            target[2] = (char)(target[2] | 0x80);
        }
        return _PyDateTime_DATETIME_DATASIZE;
    }
    if (PyDate_CheckExact(obj)) {
        memcpy(target, ((PyDateTime_Date *)obj)->data, _PyDateTime_DATE_DATASIZE);
        return _PyDateTime_DATE_DATASIZE;
    }
    memcpy(target, ((PyDateTime_Time *)obj)->data, _PyDateTime_TIME_DATASIZE);
    if (with_fold && PyDateTime_TIME_GET_FOLD(obj)) {
        target[0] = (char)(target[0] | 0x80);
    }
    return _PyDateTime_TIME_DATASIZE;
}

/* The time zone of a datetime or time; NULL for none. */
static PyObject *quickpickle_tzinfo(PyObject *obj)
{
    if (PyDateTime_CheckExact(obj)) {
        PyDateTime_DateTime *value = (PyDateTime_DateTime *)obj;
        return value->hastzinfo ? value->tzinfo : NULL;
    }
    if (PyTime_CheckExact(obj)) {
        PyDateTime_Time *value = (PyDateTime_Time *)obj;
        return value->hastzinfo ? value->tzinfo : NULL;
    }
    return NULL;
}

#endif
