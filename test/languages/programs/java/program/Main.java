import bank.Bank;
import bank.Refused;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Books transfers in threads; the sum never changes. */
public class Main {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Bank bank = new Bank();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line : in.lines().collect(Collectors.toList())) {
                String[] words = line.split(" ");
                switch (words[0]) {
                    case "open" -> bank.open(words[1], Long.parseLong(words[2]));
                    case "move" -> threads.submit(() -> {
                        for (int i = 0; i < 1000; i++) bank.move(words[1], words[2], Long.parseLong(words[3]));
                    });
                    default -> System.out.println("what is '" + words[0] + "'?");
                }
            }
        }
        threads.shutdown();
        if (!threads.awaitTermination(20, TimeUnit.SECONDS)) throw new IllegalStateException("too slow");
        bank.accounts().forEach(account -> System.out.printf("%-6s %7d%n", account.owner(), account.balance()));
        System.out.println("sum " + bank.accounts().mapToLong(Bank.Account::balance).sum());
        try {
            bank.move("ann", "nobody", 1);
        } catch (Refused refused) {
            System.out.println("refused: " + refused.getMessage());
        }
        System.out.println(String.join(",", arguments));
    }
}
