/* Removes the connections of a subnet from this machine's connection table (ctnetlink: linux/netfilter/nfnetlink_conntrack.h). */
#include "forget.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr head;
    struct nfgenmsg family;
    char attributes[512];
};

static struct {
    uint32_t network, mask;
} subnet;

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 71;
}

static int open_netlink(void) {
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}

static struct request new_request(int type, int flags) {
    struct request made;
    memset(&made, 0, sizeof made);
    made.head.nlmsg_len = NLMSG_LENGTH(sizeof made.family);
    made.head.nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    made.head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    made.family.nfgen_family = AF_INET;
    made.family.version = NFNETLINK_V0;
    return made;
}

/* The first attribute of that type within `size` bytes of attributes. */
static const struct nlattr *find(const void *from, int size, int type) {
    const char *at = from;
    while (size >= NLA_HDRLEN) {
        const struct nlattr *one = (const void *)at;
        if (one->nla_len < NLA_HDRLEN || one->nla_len > size) return NULL;
        if ((one->nla_type & NLA_TYPE_MASK) == type) return one;
        at += NLA_ALIGN(one->nla_len);
        size -= (int)NLA_ALIGN(one->nla_len);
    }
    return NULL;
}

static const struct nlattr *within(const struct nlattr *nest, int type) {
    return nest ? find((const char *)nest + NLA_HDRLEN, nest->nla_len - NLA_HDRLEN, type) : NULL;
}

static int is_of_subnet(const struct nlattr *original) {
    const struct nlattr *source = within(within(original, CTA_TUPLE_IP), CTA_IP_V4_SRC);
    uint32_t address;
    if (!source || source->nla_len != NLA_HDRLEN + sizeof address) return 0;
    memcpy(&address, (const char *)source + NLA_HDRLEN, sizeof address);
    return (ntohl(address) & subnet.mask) == subnet.network;
}

static void add(struct request *to, const struct nlattr *one) {
    if (!one || to->head.nlmsg_len + NLA_ALIGN(one->nla_len) > sizeof *to) return;
    memcpy((char *)to + to->head.nlmsg_len, one, one->nla_len);
    to->head.nlmsg_len += (uint32_t)NLA_ALIGN(one->nla_len);
}

/* Removes a connection that the kernel has listed. It uses another socket, since an answer would come in the middle of the list. */
static void take_out(int by, const struct nlmsghdr *listed) {
    const char *from = (const char *)listed + NLMSG_LENGTH(sizeof(struct nfgenmsg));
    int size = (int)listed->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct nfgenmsg));
    if (size <= 0) return;
    const struct nlattr *original = find(from, size, CTA_TUPLE_ORIG);
    if (!is_of_subnet(original)) return;
    struct request out = new_request(IPCTNL_MSG_CT_DELETE, 0);
    add(&out, original);
    add(&out, find(from, size, CTA_ID));
    add(&out, find(from, size, CTA_ZONE));
    /* No acknowledgement is asked for: it is no failure if the connection has ended meanwhile. */
    if (send(by, &out, out.head.nlmsg_len, 0) < 0) fail("a connection stays");
}

int forget(const char *cidr) {
    char address[INET_ADDRSTRLEN];
    unsigned bits;
    struct in_addr parsed;
    if (sscanf(cidr, "%15[0-9.]/%u", address, &bits) != 2 || bits < 8 || bits > 32 || inet_pton(AF_INET, address, &parsed) != 1)
        return 64;
    subnet.mask = UINT32_MAX << (32 - bits);
    subnet.network = ntohl(parsed.s_addr) & subnet.mask;

    int listing = open_netlink(), deleting = open_netlink();
    if (listing < 0 || deleting < 0) return fail("netlink");
    struct request all = new_request(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
    if (send(listing, &all, all.head.nlmsg_len, 0) < 0) return fail("the connections cannot be listed");
    static union {
        struct nlmsghdr head;
        char bytes[65536];
    } got;
    for (;;) {
        ssize_t length = recv(listing, &got, sizeof got, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return fail("the list of connections broke off");
        unsigned left = (unsigned)length;
        for (const struct nlmsghdr *one = &got.head; NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
            if (one->nlmsg_type == NLMSG_DONE) return 0;
            if (one->nlmsg_type == NLMSG_ERROR) {
                errno = -((const struct nlmsgerr *)NLMSG_DATA(one))->error;
                return fail("the connections cannot be listed");
            }
            take_out(deleting, one);
        }
    }
}
