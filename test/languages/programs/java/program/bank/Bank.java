package bank;

import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

public class Bank {
    public record Account(String owner, long balance) {}

    private final Map<String, Long> balances = new TreeMap<>();

    public synchronized void open(String owner, long balance) {
        balances.put(owner, balance);
    }

    public synchronized void move(String from, String to, long amount) {
        for (String owner : new String[] {from, to})
            if (!balances.containsKey(owner)) throw new Refused("no account of " + owner);
        balances.merge(from, -amount, Long::sum);
        balances.merge(to, amount, Long::sum);
    }

    public synchronized Stream<Account> accounts() {
        return balances.entrySet().stream().map(entry -> new Account(entry.getKey(), entry.getValue())).toList().stream();
    }
}
