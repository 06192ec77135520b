/* bitlib.h: the interface of libBitLib, for programs written for BitScope's BitLib 2.0.
 *
 * Written from the published guide of that library; names, numbers and types are its. host/pages/bitlib.md documents what this
 * library does, and where it differs.
 *
 * Texts that functions return belong to the library and stay. Any function may be called from any thread, with any number.
 */
#ifndef _BITLIB_H
#define _BITLIB_H

#ifndef __cplusplus
#ifndef _bool_
#define _bool_
#if !defined(bool) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L)
typedef unsigned int bool;
#endif
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BL_MAX_RATE 0
#define BL_MAX_TIME 0
#define BL_MAX_SIZE 0
#define BL_TRACE_FORCED 0   /* BL_Trace: wait for no trigger */
#define BL_TRACE_FOREVER -1 /* BL_Trace: wait for the trigger as long as it takes */
#define BL_ZERO 0
#define BL_ASK -1 /* asks for a value instead of setting it */

enum { BL_COUNT_DEVICE, BL_COUNT_ANALOG, BL_COUNT_LOGIC, BL_COUNT_RANGE };
enum { BL_SELECT_DEVICE, BL_SELECT_CHANNEL, BL_SELECT_SOURCE };
enum { BL_STATE_IDLE, BL_STATE_ACTIVE, BL_STATE_DONE, BL_STATE_ERROR };
enum { BL_SOURCE_POD, BL_SOURCE_BNC, BL_SOURCE_X10, BL_SOURCE_X20, BL_SOURCE_X50, BL_SOURCE_ALT, BL_SOURCE_GND };
enum { BL_COUPLING_DC, BL_COUPLING_AC, BL_COUPLING_RF };
enum { BL_MODE_FAST, BL_MODE_DUAL, BL_MODE_MIXED, BL_MODE_LOGIC, BL_MODE_STREAM };
enum { BL_TRIG_RISE, BL_TRIG_FALL, BL_TRIG_HIGH, BL_TRIG_LOW, BL_TRIG_NONE };
enum {
    BL_VERSION_DEVICE,
    BL_VERSION_LIBRARY,
    BL_VERSION_BINDING,
    BL_VERSION_PLATFORM,
    BL_VERSION_FRAMEWORK,
    BL_VERSION_NETWORK
};
enum { BL_SYNCHRONOUS, BL_ASYNCHRONOUS };

/* C's bool above is an unsigned int, C++'s is a byte: the library returns 0 or 1, which both read. */

/* Devices */
void BL_Initialize(void);
int BL_Open(const char *links, int count);
void BL_Close(void);
int BL_Count(int what);
int BL_Select(int what, int index);
char *BL_ID(void);
char *BL_Name(char *room); /* NULL, or room for 100 bytes */
char *BL_Version(int what);
char *BL_Log(void);

/* The selected channel */
int BL_Coupling(int coupling);
bool BL_Enable(bool is_on);
double BL_Offset(double volts);
double BL_Range(int index);
bool BL_Trigger(double volts, int edge);

/* The trace */
int BL_Mode(int mode);
double BL_Rate(double hertz);
int BL_Size(int samples);
double BL_Time(double seconds);
double BL_Intro(double seconds);
double BL_Delay(double seconds);
bool BL_Trace(double timeout_seconds, bool is_asynchronous);
int BL_State(void);
int BL_Error(void);
bool BL_Halt(void);
bool BL_Index(int sample);
int BL_Acquire(int size, double *volts);

/* Without effect */
void BL_Send(char *text, int layer);
bool BL_Receive(char *room, int size, int timeout);

#ifdef __cplusplus
}
#endif

#endif
