/* Containers and instances filled with what lies on the stack of a load. */

#ifndef QUICKPICKLE_FILLING_H
#define QUICKPICKLE_FILLING_H

#include "layout.h"

/* The types whose objects may be written in place, as load_layouts.pxi has found. Where a flag is 0
   public functions are called. */
static struct quickpickle_filled {
    int lists, dicts, values;
} quickpickle_fills;

static void quickpickle_fill_in_place(int all)
{
#ifdef QUICKPICKLE_VALUES
    quickpickle_fills.lists = all;
    quickpickle_fills.dicts = all && quickpickle_known.dicts;
    quickpickle_fills.values = all && quickpickle_known.values;
#else
    (void)all;
#endif
}

/* A list gets the items from `items` on, and takes over their references. Returns -1 without
   memory; then nothing was taken over. */
static inline int quickpickle_fill_list(PyObject *list, PyObject **items, Py_ssize_t count)
{
    Py_ssize_t i;
#ifdef QUICKPICKLE_VALUES
    PyListObject *head = (PyListObject *)list;
    Py_ssize_t size = Py_SIZE(list), needed = size + count;
    if (quickpickle_rarely(!quickpickle_fills.lists)) {
        goto fallback;
    }
    if (needed > head->allocated) {
        /* The first items fit exactly: most lists get all at once. */
        size_t room = (size_t)needed + (size == 0 ? 0 : (size_t)needed >> 2);
        PyObject **grown = NULL;
        if (room <= PY_SSIZE_T_MAX / sizeof(PyObject *)) {
            grown = PyMem_Realloc(head->ob_item, room * sizeof(PyObject *));
        }
        if (grown == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        head->ob_item = grown;
        head->allocated = (Py_ssize_t)room;
    }
    memcpy(head->ob_item + size, items, (size_t)count * sizeof(PyObject *));
    Py_SET_SIZE(list, needed);
    return 0;
fallback:
#endif
    for (i = 0; i < count; i++) {
        if (PyList_Append(list, items[i]) < 0) {
            return -1;  /* which may leave items in the list; the stack has them too */
        }
    }
    for (i = 0; i < count; i++) {
        Py_DECREF(items[i]);
    }
    return 0;
}

/* Whether the collector may have to look at an object that is in a container. */
static inline int quickpickle_may_be_tracked(PyObject *obj)
{
    return PyObject_IS_GC(obj) && (!PyTuple_CheckExact(obj) || PyObject_GC_IsTracked(obj));
}

/* A dict with the keys of `like`, in its order, and other values: a copy of its table, in which
   the values are replaced. `items` has keys and values in turn. The references to the values are
   taken over, those to the keys are dropped. NULL without an exception, and with nothing taken
   over, where `like` has not exactly these key objects any longer. */
static PyObject *quickpickle_dict_like(PyObject *like, PyObject **items, Py_ssize_t count)
{
#ifdef QUICKPICKLE_VALUES
    PyDictObject *dict = (PyDictObject *)like;
    quickpickle_keys *keys;
    quickpickle_key *entries;
    PyObject *result;
    Py_ssize_t i;
    int is_tracked = 0;
    if (!quickpickle_fills.dicts) {
        return NULL;
    }
    if (dict->ma_values != NULL || dict->ma_used != count) {
        return NULL;
    }
    keys = (quickpickle_keys *)dict->ma_keys;
    if (keys->kind == 0 || keys->entries != count) {
        return NULL;
    }
    entries = (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
    for (i = 0; i < count; i++) {
        if (entries[i].key != items[2 * i] || entries[i].value == NULL) {
            return NULL;
        }
    }
    result = PyDict_Copy(like);
    if (result == NULL) {
        PyErr_Clear();
        return NULL;
    }
    dict = (PyDictObject *)result;
    keys = (quickpickle_keys *)dict->ma_keys;
    if (dict->ma_values != NULL || dict->ma_used != count || keys->kind == 0 ||
        keys->entries != count) {
        Py_DECREF(result);
        return NULL;
    }
    entries = (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
    for (i = 0; i < count; i++) {
        PyObject *old = entries[i].value, *value = items[2 * i + 1];
        entries[i].value = value;
        is_tracked |= quickpickle_may_be_tracked(value);
        Py_DECREF(old);  /* `like` has it too, so it is not freed */
        Py_DECREF(items[2 * i]);  /* as does the table the key */
    }
#if PY_VERSION_HEX >= 0x030E0000
    is_tracked = 1;
#endif
    if (is_tracked != PyObject_GC_IsTracked(result)) {
        if (is_tracked) {
            PyObject_GC_Track(result);
        }
        else {
            PyObject_GC_UnTrack(result);
        }
    }
    return result;
#else
    (void)like, (void)items, (void)count;
    return NULL;
#endif
}

#ifdef QUICKPICKLE_VALUES
/* Adds a key that a table has not. Returns 0, with nothing changed, where the table has no room, or
   has a key with the same hash, which may be equal. */
static inline int quickpickle_add_key(
    PyDictObject *dict, PyObject *key, Py_hash_t hash, PyObject *value)
{
    quickpickle_keys *keys = (quickpickle_keys *)dict->ma_keys;
    void *entries = keys->indices + ((size_t)1 << keys->log2_index_bytes);
    size_t mask = ((size_t)1 << keys->log2_size) - 1, perturb = (size_t)hash;
    size_t place = (size_t)hash & mask;
    int width = keys->log2_index_bytes - keys->log2_size;  /* of an index, as a power of two */
    if (keys->usable <= 0) {
        return 0;
    }
    while (1) {
        int64_t found = width == 0 ? ((int8_t *)keys->indices)[place]
                      : width == 1 ? ((int16_t *)keys->indices)[place]
                      : width == 2 ? ((int32_t *)keys->indices)[place]
                                   : ((int64_t *)keys->indices)[place];
        if (found == -1) {
            break;
        }
        if (found < 0 || (keys->kind == 0 ? ((quickpickle_hashed_key *)entries)[found].hash
                                          : ((PyASCIIObject *)((quickpickle_key *)entries)[found].key)
                                                ->hash) == hash) {
            return 0;
        }
        perturb >>= 5;
        place = (place * 5 + perturb + 1) & mask;
    }
    switch (width) {
    case 0: ((int8_t *)keys->indices)[place] = (int8_t)keys->entries; break;
    case 1: ((int16_t *)keys->indices)[place] = (int16_t)keys->entries; break;
    case 2: ((int32_t *)keys->indices)[place] = (int32_t)keys->entries; break;
    default: ((int64_t *)keys->indices)[place] = keys->entries;
    }
    if (keys->kind == 0) {
        quickpickle_hashed_key *entry = &((quickpickle_hashed_key *)entries)[keys->entries];
        entry->hash = hash;
        entry->key = Py_NewRef(key);
        entry->value = Py_NewRef(value);
    }
    else {
        quickpickle_key *entry = &((quickpickle_key *)entries)[keys->entries];
        entry->key = Py_NewRef(key);
        entry->value = Py_NewRef(value);
    }
    keys->entries++;
    keys->usable--;
    dict->ma_used++;
    return 1;
}

/* Whether somebody wants to be told of each change of a dict. */
static inline int quickpickle_is_watched(PyObject *dict)
{
#if PY_VERSION_HEX >= 0x030C0000
    uint64_t tag;
    memcpy(&tag, (char *)dict + offsetof(quickpickle_dict_head, version), 8);
    return (tag & 0xFF) != 0;
#else
    (void)dict;
    return 0;
#endif
}
#endif

/* PyDict_SetItem of `count` keys and values in turn. To hash and to compare the keys, those that
   the dict has included, runs no other code. */
static int quickpickle_fill_dict(PyObject *dict, PyObject **items, Py_ssize_t count)
{
    Py_ssize_t i;
#ifdef QUICKPICKLE_VALUES
    PyDictObject *head = (PyDictObject *)dict;
    int is_tracked = PyObject_GC_IsTracked(dict), is_quick = 0;
#endif
    for (i = 0; i < 2 * count; i += 2) {
        PyObject *key = items[i], *value = items[i + 1];
#ifdef QUICKPICKLE_VALUES
        /* The interpreter's function sets the first, so that the dict gets a new version. */
        if (is_quick && (PyUnicode_CheckExact(key) ||
                         ((quickpickle_keys *)head->ma_keys)->kind == 0)) {
            Py_hash_t hash = PyUnicode_CheckExact(key) ? ((PyASCIIObject *)key)->hash : -1;
            if (hash == -1) {
                hash = PyObject_Hash(key);
                if (hash == -1) {
                    return -1;
                }
            }
            if (quickpickle_add_key(head, key, hash, value)) {
                if (!is_tracked && (quickpickle_may_be_tracked(value) ||
                                    quickpickle_may_be_tracked(key))) {
                    PyObject_GC_Track(dict);
                    is_tracked = 1;
                }
                continue;
            }
        }
#endif
        if (PyDict_SetItem(dict, key, value) < 0) {
            return -1;
        }
#ifdef QUICKPICKLE_VALUES
        is_tracked = PyObject_GC_IsTracked(dict);
        is_quick = quickpickle_fills.dicts && head->ma_values == NULL &&
                   !quickpickle_is_watched(dict);
#endif
    }
    return 0;
}

/* The attributes of instances that have no dict yet, and keys that they share. */

/* The table of the names that the instances of a class share; NULL if it has none. */
static inline void *quickpickle_shared_keys(PyTypeObject *cls)
{
#ifdef QUICKPICKLE_VALUES
    if (quickpickle_fills.values) {
        return ((PyHeapTypeObject *)cls)->ht_cached_keys;
    }
#endif
    (void)cls;
    return NULL;
}

/* The place of a name among shared keys; -1 if it is not there. */
static Py_ssize_t quickpickle_shared_place(void *shared, PyObject *name)
{
#ifdef QUICKPICKLE_VALUES
    quickpickle_keys *keys = (quickpickle_keys *)shared;
    quickpickle_key *entries =
        (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
    Py_ssize_t i;
    for (i = 0; i < keys->entries; i++) {
        if (entries[i].key == name) {
            return i;
        }
    }
#else
    (void)shared, (void)name;
#endif
    return -1;
}

/* The attribute with this place. NULL where it has none, or where there is a dict by now. */
static inline PyObject *quickpickle_value_at(void *values, Py_ssize_t place)
{
#if !defined(QUICKPICKLE_VALUES)
    (void)values, (void)place;
    return NULL;
#elif PY_VERSION_HEX >= 0x030D0000
    return values == NULL ? NULL : ((quickpickle_dict_values *)values)->values[place];
#else
    return values == NULL ? NULL : ((PyObject **)values)[place];
#endif
}

/* Where the attributes of an instance lie that has none yet; else NULL. */
static inline void *quickpickle_empty_values(PyObject *obj)
{
    void *values = quickpickle_values(obj);
    return values != NULL && quickpickle_count_attributes(values) == 0 ? values : NULL;
}

/* How many attributes there is room for. */
static inline Py_ssize_t quickpickle_values_room(PyObject *obj, void *values)
{
#ifndef QUICKPICKLE_VALUES
    (void)obj, (void)values;
    return 0;
#elif PY_VERSION_HEX >= 0x030D0000
    (void)obj;
    return ((quickpickle_dict_values *)values)->capacity;
#else
    /* In front of the array are one byte for each, and two more, in whole words. */
    (void)obj;
    return ((const uint8_t *)values)[-1] - 2;
#endif
}

/* Sets the i-th attribute, of values that have i; takes over the reference. */
static inline void quickpickle_set_value(
    void *values, Py_ssize_t i, Py_ssize_t place, PyObject *value)
{
#if !defined(QUICKPICKLE_VALUES)
    (void)values, (void)i, (void)place, (void)value;
#elif PY_VERSION_HEX >= 0x030D0000
    quickpickle_dict_values *head = (quickpickle_dict_values *)values;
    head->values[place] = value;
    ((uint8_t *)&head->values[head->capacity])[i] = (uint8_t)place;
    head->size = (uint8_t)(i + 1);
#else
    ((PyObject **)values)[place] = value;
    ((uint8_t *)values)[-3 - i] = (uint8_t)place;
    ((uint8_t *)values)[-2] = (uint8_t)(i + 1);
#endif
}

/* Whether cls.__new__(cls) is object.__new__(cls), which runs no other code. */
static inline int quickpickle_is_plainly_made(PyTypeObject *cls)
{
    return cls->tp_new == PyBaseObject_Type.tp_new && cls->tp_alloc == PyType_GenericAlloc &&
           !PyType_HasFeature(cls, Py_TPFLAGS_IS_ABSTRACT);
}

/* `args` is an empty tuple. */
#define quickpickle_new_instance(cls, args) PyBaseObject_Type.tp_new(cls, args, NULL)

/* Whether attributes are got and set as those of any object. */
static inline int quickpickle_has_plain_attributes(PyTypeObject *cls)
{
    return cls->tp_getattro == PyObject_GenericGetAttr;
}

/* Whether a descriptor is that which classes of Python have as `__dict__`, or does the same. */
static inline int quickpickle_is_dict_descriptor(PyObject *descriptor, PyObject *like)
{
    getter get;
    if (descriptor == NULL || !Py_IS_TYPE(descriptor, &PyGetSetDescr_Type)) {
        return 0;
    }
    get = ((PyGetSetDescrObject *)descriptor)->d_getset->get;
    return get == ((PyGetSetDescrObject *)like)->d_getset->get || get == PyObject_GenericGetDict;
}

#define quickpickle_is_data_descriptor(obj) (Py_TYPE(obj)->tp_descr_set != NULL)

/* Where an instance of `cls` has a slot that may be set; -1 for any other attribute. */
static Py_ssize_t quickpickle_writable_slot(PyObject *descriptor, PyTypeObject *cls)
{
    Py_ssize_t offset = quickpickle_slot_offset(descriptor, cls);
    if (offset >= 0 && (((PyMemberDescrObject *)descriptor)->d_member->flags != 0 ||
                        cls->tp_setattro != PyObject_GenericSetAttr)) {
        return -1;
    }
    return offset;
}

/* Whether an instance has a place of its own for its dict, at the end. */
static inline int quickpickle_has_own_dict(PyTypeObject *cls)
{
#ifdef Py_TPFLAGS_MANAGED_DICT
    if (PyType_HasFeature(cls, Py_TPFLAGS_MANAGED_DICT)) {
        return 0;
    }
#endif
    return cls->tp_dictoffset > 0;
}

#define quickpickle_own_dict(obj) ((PyObject **)((char *)(obj) + Py_TYPE(obj)->tp_dictoffset))

#define quickpickle_slot_at(obj, offset) ((PyObject **)((char *)(obj) + (offset)))

static inline PyObject *quickpickle_tp_new(PyObject *cls, PyObject *args)
{
    return ((PyTypeObject *)cls)->tp_new((PyTypeObject *)cls, args, NULL);
}

/* Whether instances of a class are tuples that are made as tuples are. */
static inline int quickpickle_is_tuple_class(PyTypeObject *cls)
{
    return PyType_HasFeature(cls, Py_TPFLAGS_TUPLE_SUBCLASS) && cls != &PyTuple_Type &&
           cls->tp_alloc == PyType_GenericAlloc;
}

static PyObject *quickpickle_tuple_of(PyTypeObject *cls, PyObject **items, Py_ssize_t count)
{
    PyObject *result = cls->tp_alloc(cls, count);
    Py_ssize_t i;
    if (result != NULL) {
        for (i = 0; i < count; i++) {
            PyTuple_SET_ITEM(result, i, Py_NewRef(items[i]));
        }
    }
    return result;
}

/* Most classes are told apart by two letters, without a call. */
static inline int quickpickle_is_of_datetime(PyTypeObject *cls)
{
    const char *name = cls->tp_name;
    return name[0] == 'd' && name[1] == 'a' && strncmp(name, "datetime.", 9) == 0;
}

/* Whether an object can be the time zone of a datetime. */
#define quickpickle_is_tzinfo(obj) PyObject_TypeCheck(obj, PyDateTimeAPI->TZInfoType)

/* Whether it is a timezone of the module itself. */
#define quickpickle_is_timezone(obj) (Py_IS_TYPE(obj, Py_TYPE(PyDateTimeAPI->TimeZone_UTC)))

/* Whether these are the bytes of a date (4), time (6) or datetime (10) that there is. */
static int quickpickle_is_moment(const uint8_t *data, Py_ssize_t size)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 6) {
        int year = data[0] << 8 | data[1], month = size == 4 ? data[2] : data[2] & 0x7F;
        if (year < 1 || year > 9999 || month < 1 || month > 12 || data[3] < 1) {
            return 0;
        }
        if (data[3] > days[month - 1] && (month != 2 || data[3] > 29 || year % 4 != 0 ||
                                          (year % 100 == 0 && year % 400 != 0))) {
            return 0;
        }
        data += 4;
    }
    return size == 4 || ((size == 6 ? data[0] & 0x7F : data[0]) < 24 && data[1] < 60 &&
                         data[2] < 60 && (data[3] << 16 | data[4] << 8 | data[5]) < 1000000);
}

/* A date or datetime of the bytes that it was written as, with a time zone or NULL for none; NULL
   without an exception where its class has to look at them itself. */
static PyObject *quickpickle_make_date(
    PyTypeObject *cls, const uint8_t *data, Py_ssize_t size, PyObject *tzinfo)
{
    PyObject *result;
    if (cls == PyDateTimeAPI->DateType) {
        if (size != _PyDateTime_DATE_DATASIZE || data[2] < 1 || data[2] > 12 || tzinfo != NULL) {
            return NULL;
        }
        result = cls->tp_alloc(cls, 0);
        if (result != NULL) {
            memcpy(((PyDateTime_Date *)result)->data, data, _PyDateTime_DATE_DATASIZE);
            ((PyDateTime_Date *)result)->hashcode = -1;
        }
        return result;
    }
    if (cls == PyDateTimeAPI->DateTimeType) {
        PyDateTime_DateTime *datetime;
        if (size != _PyDateTime_DATETIME_DATASIZE || (data[2] & 0x7F) < 1 ||
            (data[2] & 0x7F) > 12) {
            return NULL;
        }
        result = cls->tp_alloc(cls, tzinfo != NULL);  /* one without has no place for it */
        if (result != NULL) {
            datetime = (PyDateTime_DateTime *)result;
            memcpy(datetime->data, data, _PyDateTime_DATETIME_DATASIZE);
            datetime->data[2] &= 0x7F;
            datetime->fold = data[2] >> 7;
            datetime->hastzinfo = tzinfo != NULL;
            datetime->hashcode = -1;
            if (tzinfo != NULL) {
                datetime->tzinfo = Py_NewRef(tzinfo);
            }
        }
        return result;
    }
    return NULL;
}

#endif
